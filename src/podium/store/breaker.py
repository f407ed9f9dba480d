"""A circuit breaker: after failures in a row nobody waits for a store that does not answer."""

from __future__ import annotations

import math
import random
import time
from collections import deque
from collections.abc import Callable
from typing import Literal

State = Literal["closed", "open", "half_open"]

FAILURES_IN_A_ROW = 3
WINDOW_CALLS = 20
WINDOW_SECONDS = 1.0
WINDOW_FAILED_SHARE = 0.5
FIRST_OPEN_SECONDS = 1.0
MOST_OPEN_SECONDS = 3.0  # with jitter and two probes well under the 5 s in which a store that is back must be in use
JITTER_SHARE = 0.2
PROBES_TO_CLOSE = 2
STEADY_SECONDS = 10.0  # a store that fails sooner than this after it was back was never really back


class Breaker:
    """Closed: calls pass. Open: none does. Half open: it may be probed; two good probes in a row close it again.

    Opens after three failures in a row, or when more than half of the last 20 calls within a second failed.
    Stays open for 1 s, doubling to 3 s while probes fail (or while it fails again soon after closing), with jitter.

    A call is tied to the closed period in which it was admitted: an outcome that comes later, when the breaker
    has opened since, is ignored. ``clock`` is monotonic seconds. Not thread-safe.
    """

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, jitter: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._jitter = jitter
        self._period = 1
        self._closed = True
        self._closed_at = -math.inf
        self._in_a_row = 0
        self._recent: deque[tuple[float, bool]] = deque(maxlen=WINDOW_CALLS)
        self._open_until = 0.0
        self._open_seconds = FIRST_OPEN_SECONDS
        self._good_probes = 0

    @property
    def state(self) -> State:
        """Where it stands, now."""
        if self._closed:
            return "closed"
        return "open" if self._clock() < self._open_until else "half_open"

    def admits(self) -> int:
        """The closed period in which a call may be made now, to report its outcome with; 0 when none may."""
        return self._period if self._closed else 0

    def succeeded(self, period: int) -> None:
        """A call of this period was answered."""
        if self._closed and period == self._period:
            self._in_a_row = 0
            self._recent.append((self._clock(), True))

    def failed(self, period: int) -> None:
        """A call of this period was not answered in time, or with garbage."""
        if not self._closed or period != self._period:
            return
        self._in_a_row += 1
        self._recent.append((self._clock(), False))
        if self._in_a_row >= FAILURES_IN_A_ROW or self._most_of_window_failed():
            self._open()

    def probe_due_seconds(self) -> float:
        """How long until it may be probed; 0 when half open. Infinite when closed."""
        return math.inf if self._closed else max(0.0, self._open_until - self._clock())

    def probe_succeeded(self) -> None:
        """A probe was answered. Only while half open."""
        self._good_probes += 1
        if self._good_probes >= PROBES_TO_CLOSE:
            self._close()

    def probe_failed(self) -> None:
        """A probe was not answered in time, or with garbage. Only while half open."""
        self._good_probes = 0
        self._wait_longer()

    def _most_of_window_failed(self) -> bool:
        now = self._clock()
        recent = [good for at, good in self._recent if now - at <= WINDOW_SECONDS]
        return len(recent) == WINDOW_CALLS and recent.count(False) > WINDOW_FAILED_SHARE * WINDOW_CALLS

    def _open(self) -> None:
        self._closed = False
        self._good_probes = 0
        if self._clock() - self._closed_at >= STEADY_SECONDS:
            self._open_seconds = FIRST_OPEN_SECONDS
            self._open_until = self._later(self._open_seconds)
        else:
            self._wait_longer()

    def _wait_longer(self) -> None:
        self._open_seconds = min(2 * self._open_seconds, MOST_OPEN_SECONDS)
        self._open_until = self._later(self._open_seconds)

    def _later(self, seconds: float) -> float:
        return self._clock() + seconds * (1 + JITTER_SHARE * self._jitter())

    def _close(self) -> None:
        self._closed = True
        self._closed_at = self._clock()
        self._period += 1
        self._in_a_row = 0
        self._recent.clear()
