"""One connection to the server, on which one call at a time is made."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, cast

from podium.store.address import PROTOCOL, Address
from podium.store.command import encode
from podium.store.reply import INCOMPLETE, ErrorReply, GarbledReply, ReplyReader


class Refused(ConnectionError):
    """The server did not let this user in. ``reason`` is its code."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Connection(asyncio.Protocol):
    """Made by ``open_connection``. After anything but a complete answer it is closed, and is never used again.

    ``on_lost`` is called when it ends, from whichever side.
    """

    def __init__(self, on_lost: Callable[[Connection], None]) -> None:
        self.lost = asyncio.Event()
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._reader = ReplyReader()
        self._wanted = 0
        self._answers: list[Any] = []
        self._outcome: asyncio.Future[list[Any]] | None = None

    @property
    def is_usable(self) -> bool:
        """Whether a call may be made."""
        return self._transport is not None and self._outcome is None

    async def exchange(self, request: bytes, answers: int) -> list[Any]:
        """Send ``request`` and return so many answers; ``ErrorReply`` stands for a refusal among them.

        Raises ``GarbledReply``, or ``OSError`` when the connection ends. Cancellation closes the connection, so that
        nobody gets the answer.
        """
        if self._transport is None:
            raise ConnectionResetError("it was closed")
        assert self._outcome is None, "two calls on one connection; this is a bug"  # noqa: S101 - the pool lends it once
        self._wanted, self._answers = answers, []
        self._outcome = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        try:
            found = await self._outcome
        except BaseException:
            self.close()
            raise
        self._outcome = None
        return found

    def close(self) -> None:
        """End it at once, whatever is still to be sent or to come. Idempotent."""
        if self._transport is not None:
            self._transport.abort()
            self._end(ConnectionResetError("it was closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """It is open."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Something came: an answer, a part of one, or what nobody asked for."""
        if self._transport is None:
            return  # closed: what still comes is nobody's
        try:
            self._read(data)
        except GarbledReply as error:
            self._transport.abort()
            self._end(error)

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._end(exc or ConnectionResetError("the server closed it"))
        self.lost.set()

    def _read(self, data: bytes) -> None:
        if self._outcome is None or self._outcome.done():
            raise GarbledReply("an answer to nothing")
        self._reader.feed(data)
        while len(self._answers) < self._wanted:
            answer = self._reader.take()
            if answer is INCOMPLETE:
                return
            self._answers.append(answer)
        if not self._reader.is_empty:
            raise GarbledReply("more answers than questions")
        self._outcome.set_result(self._answers)

    def _end(self, error: Exception) -> None:
        if self._transport is None:
            return
        self._transport = None
        self._reader = ReplyReader()
        self._answers = []
        if self._outcome is not None and not self._outcome.done():
            self._outcome.set_exception(error)
        self._on_lost(self)


async def open_connection(address: Address, on_lost: Callable[[Connection], None]) -> Connection:
    """A connection whose user is let in.

    Raises ``OSError`` (``Refused`` is one) or ``GarbledReply``; then, and when cancelled, nothing is left open.
    """
    loop = asyncio.get_running_loop()
    if address.path:
        _, connection = await loop.create_unix_connection(lambda: Connection(on_lost), address.path)
    else:
        _, connection = await loop.create_connection(
            lambda: Connection(on_lost),
            address.host,
            address.port,
            ssl=address.tls,
            server_hostname=address.host if address.tls else None,
        )
    try:
        greeting = address.greeting()
        _require_welcome(await connection.exchange(encode(greeting), len(greeting)))
    except BaseException:
        connection.close()
        raise
    return connection


def _require_welcome(answers: Sequence[Any]) -> None:
    for answer in answers:
        if isinstance(answer, ErrorReply):
            raise Refused(answer.reason)
    if not isinstance(answers[0], dict) or answers[0].get(b"proto") != PROTOCOL:
        raise GarbledReply("a greeting of another kind")
