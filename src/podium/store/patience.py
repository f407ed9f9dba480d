"""A time limit that does not blame others for the time in which this process was busy itself."""

from __future__ import annotations

import asyncio
import time
from types import TracebackType
from typing import Self

SLICES = 4


class Patience:
    """Like ``asyncio.timeout``, but counts only time in which the event loop could have seen an answer.

    An event loop that was blocked runs its timers before it reads its sockets: a plain time-out then gives up
    although the answer lies ready, or although the question was not even sent. Here the time is cut
    into four slices. A slice that ended late because the loop was blocked counts no more than its own length,
    and is never the last one. So after a block there is always a turn in which sockets are read, and most
    of the time is left. Without blocks it takes ``seconds``; with them at most a fourth more, and the blocks.

    Raises ``TimeoutError`` from the body when the time is over. Cancellation passes through.
    """

    __slots__ = ("_due", "_left", "_limit", "_loop", "_slice_seconds", "_timer")

    def __init__(self, seconds: float) -> None:
        self._slice_seconds = seconds / SLICES
        self._left = SLICES

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._limit = asyncio.timeout(None)
        await self._limit.__aenter__()
        self._begin_slice()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._timer.cancel()
        await self._limit.__aexit__(kind, error, traceback)

    def _begin_slice(self) -> None:
        self._due = time.monotonic() + self._slice_seconds
        self._timer = self._loop.call_later(self._slice_seconds, self._end_slice)

    def _end_slice(self) -> None:
        late = time.monotonic() - self._due > self._slice_seconds
        self._left -= 1
        if self._left > 0 or (late and self._left == 0):
            self._begin_slice()
        else:
            self._limit.reschedule(self._loop.time())
