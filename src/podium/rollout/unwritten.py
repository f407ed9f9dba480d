"""Intervals on their way into the history: what cannot be written now waits, and is written before anything else."""

from __future__ import annotations

from collections import deque

from podium.rollout.course import Course, Observed
from podium.rollout.history_on_demand import HistoryOnDemand

MOST_WAITING = 720
"""An hour of intervals of five seconds; of more the oldest are not counted, or memory would fill like the disk."""


class Unwritten:
    """Adds intervals to ``history`` in their order, each once, also when the disk takes none for a while."""

    def __init__(self, history: HistoryOnDemand, *, most_waiting: int = MOST_WAITING) -> None:
        self._history = history
        self._waiting: deque[Observed] = deque(maxlen=most_waiting)
        self._ahead: Course | None = None

    @property
    def course(self) -> Course:
        """The history's course, with what waits to be written."""
        return self._history.course if self._ahead is None else self._ahead

    def add(self, observed: Observed) -> None:
        """Know of an interval. ``write`` makes it last."""
        self._ahead = self.course.observe(observed)
        self._waiting.append(observed)

    def write(self) -> None:
        """Write down what waits. Raises ``Unavailable`` when that cannot be done now; then the rest waits on."""
        while self._waiting:
            self._history.observe(self._waiting[0])
            self._waiting.popleft()
        self._ahead = None
