"""Noticing that a client is there and reads nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.types import Scope

from podium.api.record import RequestRecord
from podium.api.refusals import StalledReader
from podium.core.errors import ClientDisconnected

STALLED = "podium.stalled"
"""In a scope's extensions: the connection was dropped because its client read nothing."""
_LOOKS = 4


class UnreadWatch:
    """Calls ``drop`` when nothing of what waits in ``transport`` was read for ``seconds``, or a quarter more.

    The same for all that is written to a connection, also for the end of what was written whole. While an answer
    is being written (``is_growing``) what waits grows although it is read: that is no stall until writing pauses.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        *,
        seconds: float,
        is_growing: Callable[[], bool],
        drop: Callable[[], None],
    ) -> None:
        self._transport = transport
        self._seconds = seconds
        self._is_growing = is_growing
        self._drop = drop
        self._loop = asyncio.get_running_loop()
        self._waiting_bytes = 0
        self._read_at = self._loop.time()
        self._timer = self._loop.call_later(seconds / _LOOKS, self._look)

    def note_read(self) -> None:
        """The client has read something."""
        self._read_at = self._loop.time()

    def stop(self) -> None:
        """Look no more."""
        self._timer.cancel()

    def _look(self) -> None:
        waiting_bytes = self._transport.get_write_buffer_size()
        if not waiting_bytes or waiting_bytes < self._waiting_bytes or self._is_growing():
            self.note_read()
        self._waiting_bytes = waiting_bytes
        if self._loop.time() - self._read_at >= self._seconds:
            self._drop()
        else:
            self._timer = self._loop.call_later(self._seconds / _LOOKS, self._look)


def note_gone(scope: Scope, record: RequestRecord, error: ClientDisconnected) -> None:
    """Put down that the client left an answer, or was made to."""
    stalled = scope.get("extensions", {}).get(STALLED, False)
    record.outcome = "cancelled"
    record.error_code = StalledReader.code if stalled else error.code
