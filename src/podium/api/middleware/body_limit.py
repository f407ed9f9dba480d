"""Bounds on a body while its bytes arrive, and a polite refusal of what is too much."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import NamedTuple

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from podium.api.refusals import BodyTimeout
from podium.core.errors import ClientDisconnected, PayloadTooLarge

LINGER_SECONDS = 1.0
LINGER_BODIES = 16


class Bounds(NamedTuple):
    """Most bytes of a body, and the longest time for it to arrive."""

    max_bytes: int
    max_seconds: float


class BodyLimit:
    """Hands the body to the application in one piece, or raises in its ``receive``.

    PayloadTooLarge once more than ``max_bytes`` are announced or have come, with or without a
    Content-Length; BodyTimeout when the body is not complete after ``max_seconds``. An answer that is
    sent before the body was read asks for the connection to be closed, and what still comes is thrown
    away for a second (or 16 bodies), because closing at once would make the client's kernel drop the
    answer.

    Bodies POSTed to a path of ``uploads`` have bounds of their own, and are handed over in the pieces that come.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_bytes: int,
        max_seconds: float,
        uploads: Mapping[str, Bounds] | None = None,
    ) -> None:
        self.app = app
        self.bounds = Bounds(max_bytes, max_seconds)
        self.uploads = uploads or {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a bounded body."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        upload = self.uploads.get(scope["path"]) if scope["method"] == "POST" else None
        body = _Body(scope, receive, send, upload or self.bounds)
        await self.app(scope, body.receive if upload is None else body.receive_piece, body.send)


class _Body:
    """The body of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, bounds: Bounds) -> None:
        headers = dict(scope["headers"])
        self._announced = _length(headers.get(b"content-length"))
        self._complete = not self._announced and b"transfer-encoding" not in headers
        self._handed_over = False
        self._receive = receive
        self._send = send
        self._max_bytes, self._max_seconds = bounds
        self._received = 0
        self._began: float | None = None

    async def receive(self) -> Message:
        """First the whole body, later what the server says (a disconnect)."""
        if self._handed_over:
            return await self._receive()
        self._handed_over = True
        if self._announced > self._max_bytes:
            raise self._too_large()
        try:
            async with asyncio.timeout(self._max_seconds):
                text = await self._read()
        except TimeoutError:
            raise self._too_late() from None
        return {"type": "http.request", "body": text, "more_body": False}

    async def receive_piece(self) -> Message:
        """The next piece of the body, later what the server says (a disconnect)."""
        if self._handed_over:
            return await self._receive()
        if self._announced > self._max_bytes:
            raise self._too_large()
        loop = asyncio.get_running_loop()
        self._began = loop.time() if self._began is None else self._began
        try:
            async with asyncio.timeout_at(self._began + self._max_seconds):
                message = await self._receive_more()
        except TimeoutError:
            raise self._too_late() from None
        self._handed_over = self._complete
        return message

    async def _read(self) -> bytes:
        pieces = bytearray()
        while True:
            message = await self._receive_more()
            pieces += message.get("body", b"")
            if not message.get("more_body", False):
                return bytes(pieces)

    async def _receive_more(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected("The client hung up before its body was complete.")
        self._received += len(message.get("body", b""))
        if self._received > self._max_bytes:
            raise self._too_large()
        self._complete = not message.get("more_body", False)
        return message

    def _too_late(self) -> BodyTimeout:
        return BodyTimeout(f"The body did not arrive within {self._max_seconds:g} seconds.")

    def _too_large(self) -> PayloadTooLarge:
        return PayloadTooLarge(f"The body is too large. At most {self._max_bytes} bytes are allowed.")

    async def send(self, message: Message) -> None:
        """Pass ``message`` on; see ``BodyLimit`` for answers that come before the body was read."""
        if self._complete:
            await self._send(message)
        elif message["type"] == "http.response.start":
            await self._send({**message, "headers": [*message.get("headers", ()), (b"connection", b"close")]})
        elif message.get("more_body", False):
            await self._send(message)
        else:
            await self._send({**message, "more_body": True})
            await self._linger()
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _linger(self) -> None:
        left = LINGER_BODIES * self._max_bytes
        until = time.monotonic() + LINGER_SECONDS
        while left > 0 and (wait := until - time.monotonic()) > 0:
            try:
                message = await asyncio.wait_for(self._receive(), wait)
            except TimeoutError:
                return
            if message["type"] == "http.disconnect" or not message.get("more_body", False):
                return
            left -= len(message.get("body", b""))


def _length(value: bytes | None) -> int:
    """Content-Length as a number; what the parser let through and is none counts as an unknown body."""
    if value is None or not value.isdigit():
        return 0 if value is None else 1
    return int(value) if len(value) < 20 else 2**63
