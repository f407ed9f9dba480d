"""Noticing that a client is there and reads nothing."""

from __future__ import annotations

import asyncio
from collections.abc import MutableMapping
from types import TracebackType
from typing import Self

from starlette.types import Scope, Send

from podium.api.record import RequestRecord
from podium.api.refusals import StalledReader
from podium.core.errors import ClientDisconnected

ABORT = "podium.abort"
"""ASGI extension (a function) that drops the connection at once; see ``podium.api.connection``."""


class StallWatch:
    """Sends messages; ends the body of ``async with`` when one takes longer than ``stall_seconds``: StalledReader.

    One timer for the whole answer: a deadline set and cleared for each event cost a twelfth of the time
    per token of a fast model.
    """

    def __init__(self, send: Send, stall_seconds: float) -> None:
        self._send = send
        self._stall_seconds = stall_seconds
        self._writing_since: float | None = None
        self._loop = asyncio.get_running_loop()
        self._scope = asyncio.timeout(None)
        self._timer = self._loop.call_later(stall_seconds, self._look)

    async def __aenter__(self) -> Self:
        await self._scope.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._timer.cancel()
        try:
            await self._scope.__aexit__(kind, error, trace)
        except TimeoutError:
            raise StalledReader("The client read nothing for too long.") from None

    async def send(self, message: MutableMapping[str, object]) -> None:
        """Send a message, watched."""
        self._writing_since = self._loop.time()
        await self._send(message)
        self._writing_since = None

    def _look(self) -> None:
        now = self._loop.time()
        since = now if self._writing_since is None else self._writing_since
        if now - since >= self._stall_seconds:
            self._scope.reschedule(now)
        else:
            self._timer = self._loop.call_at(since + self._stall_seconds, self._look)


def end_unread(scope: Scope, record: RequestRecord, error: ClientDisconnected) -> None:
    """Put down that the client left an answer, and drop the connection of one that is still there.

    Raises ``error`` where it cannot be dropped.
    """
    record.outcome = "cancelled"
    record.error_code = error.code
    if isinstance(error, StalledReader):
        abort = scope.get("extensions", {}).get(ABORT)
        if abort is None:
            raise error
        abort()
