"""What the stable environment had in the last minute, for plans."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable

from podium.gateway.attempts import Attempt
from podium.rollout.plan import RecentTraffic

WINDOW_SECONDS = 60


class RecentAttempts:
    """First attempts by the second of their arrival; what is older than a minute is forgotten."""

    def __init__(self) -> None:
        self._seconds: deque[tuple[int, dict[str, list[int]]]] = deque()

    def take(self, attempts: Iterable[Attempt]) -> None:
        """Count attempts that have ended."""
        for attempt in attempts:
            if not attempt.ended or not attempt.was_split or attempt.began is None or attempt.environment is None:
                continue
            counts = self._at(math.floor(attempt.began)).setdefault(attempt.environment, [0, 0])
            counts[0] += 1
            counts[1] += attempt.is_server_error or attempt.is_faulted

    def of(self, environment: str, *, now: float) -> RecentTraffic:
        """Requests a second and the part of bad ones; none at all is no rate."""
        found = [counts.get(environment, [0, 0]) for second, counts in self._seconds if second >= now - WINDOW_SECONDS]
        attempts, bad = sum(count for count, _ in found), sum(count for _, count in found)
        return RecentTraffic(attempts / WINDOW_SECONDS, bad / attempts if attempts else None)

    def _at(self, second: int) -> dict[str, list[int]]:
        """The counts of a second. Attempts end out of order, so it may be one of the last minute's."""
        for known, counts in reversed(self._seconds):
            if known == second:
                return counts
        counts = {}
        self._seconds.append((second, counts))
        while len(self._seconds) > 2 * WINDOW_SECONDS:
            self._seconds.popleft()
        return counts
