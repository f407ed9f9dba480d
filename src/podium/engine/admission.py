"""Admission: a bounded number of sequences run, a bounded number of requests wait, the rest is refused."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
import time
from collections import deque
from collections.abc import Callable

from podium.core.errors import Overloaded

RATE_SAMPLES = 64
UNKNOWN_RETRY_SECONDS = 1.0
LONGEST_RETRY_SECONDS = 60.0


class ServiceRate:
    """Finished requests a second, over the last ``RATE_SAMPLES`` of them."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._finished: deque[float] = deque(maxlen=RATE_SAMPLES)

    def record(self) -> None:
        """A request has finished."""
        self._finished.append(self._clock())

    def seconds_for(self, requests: int) -> float:
        """How long ``requests`` take at the measured rate; a guess of 1 s before anything finished."""
        if len(self._finished) < 2:
            return UNKNOWN_RETRY_SECONDS
        span = max(self._clock() - self._finished[0], 1e-3)
        return min(requests * span / len(self._finished), LONGEST_RETRY_SECONDS)


class AdmissionGate:
    """Permits for the running batch of one model, and the queue before it.

    A request takes one permit for each choice. Higher priority goes first, equal priority in order of
    arrival. ``acquire`` refuses at once when the queue is full; it never waits to refuse.
    """

    def __init__(self, *, permits: int, queue: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.permits = permits
        self.queue_limit = queue
        self._free = permits
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, int, asyncio.Future[None]]] = []
        self._abandoned = 0
        self._rate = ServiceRate(clock)

    @property
    def running(self) -> int:
        """Permits taken."""
        return self.permits - self._free

    @property
    def waiting(self) -> int:
        """Requests in the queue."""
        return len(self._waiting) - self._abandoned

    async def acquire(self, permits: int, *, priority: int = 0) -> None:
        """Take permits, waiting in the queue when they are not free.

        Raises ``Overloaded`` with ``retry_after_seconds`` when the queue is full. Cancellation leaves the
        queue; no permit is held then.
        """
        wanted = min(permits, self.permits)  # n larger than the batch takes the whole batch
        if not self.waiting and self._free >= wanted:
            self._free -= wanted
            return
        if self.waiting >= self.queue_limit:
            raise Overloaded(
                f"{self.waiting} requests are waiting for this model and no more are queued. Try again later.",
                retry_after_seconds=math.ceil(self._rate.seconds_for(self.waiting + 1)),
            )
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (-priority, next(self._order), wanted, future))
        try:
            await future
        except asyncio.CancelledError:
            self._leave(future, wanted)
            raise

    def release(self, permits: int) -> None:
        """Give permits back; the next in the queue gets them."""
        self._rate.record()
        self._give_back(min(permits, self.permits))

    def _leave(self, future: asyncio.Future[None], wanted: int) -> None:
        if future.done() and not future.cancelled():
            self._give_back(wanted)  # admitted in the same moment
        else:
            self._abandoned += 1
            self._admit()

    def _give_back(self, permits: int) -> None:
        self._free += permits
        self._admit()

    def _admit(self) -> None:
        while self._waiting:
            _, _, wanted, future = self._waiting[0]
            if future.cancelled():
                heapq.heappop(self._waiting)
                self._abandoned -= 1
                continue
            if wanted > self._free:
                return
            heapq.heappop(self._waiting)
            self._free -= wanted
            future.set_result(None)
