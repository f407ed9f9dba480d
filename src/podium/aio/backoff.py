"""Growing pauses between attempts."""

from __future__ import annotations


class Backoff:
    """Pauses that double from ``first_seconds`` to ``most_seconds``; ``reset`` after a success.

    No jitter: it paces one owner's own process, not many clients of one server.
    """

    def __init__(self, first_seconds: float, most_seconds: float) -> None:
        self._first = first_seconds
        self._most = most_seconds
        self.failures = 0

    def next_seconds(self) -> float:
        """The pause before the next attempt; counts a failure."""
        self.failures += 1
        return float(min(self._most, self._first * 2 ** min(self.failures - 1, 30)))

    def reset(self) -> None:
        """Start over from the shortest pause."""
        self.failures = 0
