"""How fast one model works off requests, measured while it has more than it can run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

FEWEST_SAMPLES = 64
USUAL_SHARE = 1 / 16  # of the newest request in the usual one


class ServiceRate:
    """Work done a second over recent completions, counted while every permit is taken or somebody waits.

    Quiet times say nothing about what the model can do, so they do not count: neither does the rate sink
    while little is asked, nor is it known before the model was busy. Work is counted as it was expected
    when it was admitted, like the work that waits: a model that usually uses a tenth of the most that
    was asked for works off ten times as much. It is known when as many permits were given back as there
    are, so that what ran at the start is not taken for the model's doing. The time since the last completion
    does not count yet: what runs now has used it.
    """

    def __init__(self, permits: int, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._needed = permits
        self._most_samples = max(FEWEST_SAMPLES, 2 * permits)
        self._samples: deque[tuple[float, int, int]] = deque()
        self._tokens = 0
        self._permits = 0
        self._begin = 0.0  # busy seconds at the first sample's start
        self._busy_seconds = 0.0
        self._busy_since: float | None = None
        self._usual = 0.0

    @property
    def usual_tokens(self) -> int:
        """What a request used lately; 1 before any ended."""
        return max(1, round(self._usual))

    def watch(self, *, busy: bool) -> None:
        """Whether from now on every permit is taken or somebody waits."""
        if busy and self._busy_since is None:
            self._busy_since = self._clock()
        elif not busy and self._busy_since is not None:
            self._busy_seconds += self._clock() - self._busy_since
            self._busy_since = None

    def record(self, tokens: int, *, permits: int, used_tokens: int) -> None:
        """A request of ``tokens`` expected (0: unknown) has ended and used ``used_tokens``."""
        share = USUAL_SHARE if self._usual else 1.0
        self._usual += share * (used_tokens - self._usual)
        if self._busy_since is None:
            return
        work = tokens or max(1, used_tokens)
        self._samples.append((self._elapsed(), work, permits))
        self._tokens += work
        self._permits += permits
        if len(self._samples) > self._most_samples:
            self._begin, tokens, permits = self._samples.popleft()
            self._tokens -= tokens
            self._permits -= permits

    def seconds_for(self, tokens: float) -> float | None:
        """How long ``tokens`` of expected work take; None while that is not known."""
        if self._permits < self._needed:
            return None
        return tokens * (self._samples[-1][0] - self._begin) / self._tokens

    @property
    def tokens_per_second(self) -> float:
        """Expected work done a second; 0 while that is not known."""
        seconds = self.seconds_for(1.0)
        return 1.0 / seconds if seconds else 0.0

    def _elapsed(self) -> float:
        running = 0.0 if self._busy_since is None else self._clock() - self._busy_since
        return self._busy_seconds + running
