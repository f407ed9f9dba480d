"""Sending a file that is read while it is sent."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from starlette.background import BackgroundTask
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from podium.api.disconnect import stop_on_disconnect
from podium.api.record import record_of
from podium.api.unread_watch import note_gone
from podium.core.errors import ClientDisconnected


class Download(Response):
    """``size_bytes`` of ``pieces``, which are closed when this returns, however it ends.

    To a client that hangs up, or is dropped because it reads nothing, nothing more is read from the disk.
    """

    def __init__(
        self,
        pieces: AsyncGenerator[bytes, None],
        *,
        size_bytes: int,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.status_code = 200
        self.background: BackgroundTask | None = None
        length = {"content-type": "application/octet-stream", "content-length": str(size_bytes)}
        self.init_headers({**length, **(headers or {})})
        self.body = b""
        self.pieces = pieces

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it. What raises in the middle leaves an answer that is too short, which clients notice."""
        try:
            async with aclosing(self.pieces), stop_on_disconnect(receive):
                await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
                async for piece in self.pieces:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except ClientDisconnected as error:
            note_gone(scope, record_of(scope), error)
