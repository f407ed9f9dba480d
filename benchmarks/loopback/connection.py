"""A kept HTTP/1.1 connection for one request after the other, as light as asyncio allows."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Self, cast

from benchmarks.loopback.http_message import HEAD_END, Answer, Body, read_head

HOST = "127.0.0.1"
ANSWER_SECONDS = 60.0

Listener = Callable[[Answer, bytes], None]
"""Gets the answer so far, and what of its body is new; called at the head, with nothing, too."""


class Broken(ConnectionError):
    """The other side closed before the answer was whole."""


class Connection(asyncio.Protocol):
    """``open`` makes one. ``ask`` sends a request and waits for its whole answer."""

    def __init__(self) -> None:
        self.closed = False
        self._transport: asyncio.Transport | None = None
        self._waiting: asyncio.Future[Answer] | None = None
        self._listener: Listener | None = None
        self._head = b""
        self._answer: Answer | None = None
        self._body: Body | None = None
        self._pieces: list[bytes] = []

    @classmethod
    async def open(cls, port: int) -> Self:
        """Connect to this machine. Raises ``OSError``."""
        _, connection = await asyncio.get_running_loop().create_connection(cls, HOST, port)
        return connection

    async def ask(self, request: bytes, listener: Listener | None = None) -> Answer:
        """Raises ``Broken``, or ``TimeoutError`` after a minute. Cancelled, the connection is of no more use."""
        if self.closed or self._transport is None:
            raise Broken("closed before the request was sent")
        self._head, self._answer, self._body, self._pieces = b"", None, None, []
        self._listener = listener
        self._waiting = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        async with asyncio.timeout(ANSWER_SECONDS):
            return await self._waiting

    def close(self) -> None:
        """Hang up, whatever is on its way."""
        self.closed = True
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        if self._answer is None:
            self._head += data
            head, mark, data = self._head.partition(HEAD_END)
            if not mark:
                return
            self._answer, self._body = read_head(head)
        answer, body = self._answer, self._body
        assert body is not None, "this is a bug: it is made with the answer"
        new = body.feed(data)
        self._pieces.append(new)
        if self._listener is not None:
            self._listener(answer, new)
        if body.ended and self._waiting is not None and not self._waiting.done():
            answer.body = b"".join(self._pieces)
            self._waiting.set_result(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self.closed = True
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(Broken(f"closed before the end: {exc}"))
