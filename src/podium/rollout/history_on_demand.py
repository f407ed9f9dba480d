"""A history that makes its file with the first rollout, so that nobody who needs none finds one."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import structlog

from podium.core.errors import Conflict
from podium.rollout.course import Course, Observed
from podium.rollout.events import Event, Started
from podium.rollout.history import History, Told
from podium.rollout.state import RolloutState

log = structlog.get_logger(__name__)


class HistoryOnDemand:
    """The history in ``path``, read at once where the file exists.

    When it cannot be read or has another writer, ``problem`` says so, no rollout is known, and every write is refused
    with it: traffic goes on without rollouts.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._opened = ExitStack()
        self._history: History | None = None
        self.problem: str | None = None

    def __enter__(self) -> Self:
        if self._path.exists():
            try:
                self._open()
            except Conflict as error:
                self.problem = error.message
                log.error("rollouts are not available", reason=error.message)  # noqa: TRY400 - the cause is told
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file and free it."""
        self._opened.close()

    @property
    def course(self) -> Course:
        """See ``History``."""
        return Course() if self._history is None else self._history.course

    @property
    def state(self) -> RolloutState:
        """See ``History``."""
        return self.course.state

    @property
    def log(self) -> list[Told]:
        """See ``History``."""
        return [] if self._history is None else self._history.log

    def started(self, environment: str) -> float:
        """When the newest rollout of ``environment`` began, in seconds since 1970; 0 without one."""
        events = (told.entry.event for told in reversed(self.log))
        starts = (event for event in events if isinstance(event, Started))
        return next((event.at for event in starts if event.terms.environment == environment), 0.0)

    def append(self, event: Event, *, actor: str) -> RolloutState:
        """See ``History``; raises ``Conflict`` with ``problem`` too."""
        return self._open().append(event, actor=actor)

    def observe(self, observed: Observed) -> Course:
        """See ``History``."""
        return self._open().observe(observed)

    def _open(self) -> History:
        if self.problem is not None:
            raise Conflict(f"Rollouts are not available: {self.problem}.")
        if self._history is None:
            self._history = self._opened.enter_context(History(self._path))
        return self._history
