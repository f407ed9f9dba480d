"""How much of a batch's window is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable

from podium.core.batch import StoredBatch


def seconds_since_boot() -> float:
    """Time that has passed, also while the machine slept where its kernel tells that (Linux); nobody sets it."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Windows:
    """Measures windows by the time that has passed since this process first saw a batch.

    What was left then is read from the time of day, which is all that outlives a process. After that nothing that is
    done to the time of day moves the end of a window: a clock that is set forward expires no batch, one that is set
    back keeps none.
    """

    def __init__(self, wall: Callable[[], float], elapsed: Callable[[], float]) -> None:
        self._wall = wall
        self._elapsed = elapsed
        self._ends: dict[str, float] = {}

    def left_seconds(self, batch: StoredBatch) -> float:
        """Until the end; 0 or less when it is over."""
        now = self._elapsed()
        return self._ends.setdefault(batch.id, now + batch.expires_at - self._wall()) - now

    def keep(self, batches: Iterable[StoredBatch]) -> None:
        """Forget all others."""
        self._ends = {batch.id: self._elapsed() + self.left_seconds(batch) for batch in batches}
