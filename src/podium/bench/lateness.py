"""How late a worker's own loop comes: what it reads is stamped that much after it was there."""

from __future__ import annotations

import asyncio
import math
import time

EVERY_SECONDS = 0.02
STEP_SECONDS = 0.001
_STEPS = 10_000  # what is later than ten seconds counts as that


class Lateness:
    """Looks at the clock every 20 ms and counts by how much a look was late; its memory does not grow."""

    def __init__(self) -> None:
        self._counts = [0] * (_STEPS + 1)
        self.most = 0.0  # seconds

    async def watch(self) -> None:
        """Look until cancelled."""
        while True:
            due = time.monotonic() + EVERY_SECONDS
            await asyncio.sleep(EVERY_SECONDS)
            self.add(time.monotonic() - due)

    def add(self, late: float) -> None:
        """One look that was ``late`` by so many seconds, and those that it kept from happening."""
        self.most = max(self.most, late)
        while True:
            self._counts[min(_STEPS, max(0, int(late / STEP_SECONDS)))] += 1
            late -= EVERY_SECONDS
            if late <= 0:
                return

    def at(self, percent: float) -> float:
        """Seconds that so many percent of the looks were late at most, rounded down to a millisecond; 0 without any."""
        wanted, seen = math.ceil(sum(self._counts) * percent / 100), 0
        for step, count in enumerate(self._counts):
            seen += count
            if count and seen >= wanted:
                return step * STEP_SECONDS
        return 0.0
