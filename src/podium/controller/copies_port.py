"""The socket to which Envoy sends copies of requests."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from starlette.requests import ClientDisconnect, Request
from starlette.types import Receive, Scope, Send

from podium.rollout.shadow.copied_request import CopiedRequest

_MOST_WAITING = 32
_ACCEPTED, _TOO_MUCH = 202, 503


class CopiesPort:
    """An ASGI application that keeps copies until somebody takes them. More than a few are dropped, and counted."""

    def __init__(self) -> None:
        self._waiting: asyncio.Queue[CopiedRequest] = asyncio.Queue(_MOST_WAITING)
        self.wanted: Callable[[], bool] = lambda: False
        self.dropped = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one copy; its answer interests nobody."""
        if scope["type"] != "http":
            return
        taken = self.wanted() and await self._take(Request(scope, receive))
        await send({"type": "http.response.start", "status": _ACCEPTED if taken else _TOO_MUCH, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def next(self) -> CopiedRequest:
        """The oldest copy, as soon as there is one. Cancelled, none is lost."""
        return await self._waiting.get()

    def forget(self) -> None:
        """Drop what waits."""
        while not self._waiting.empty():
            self._waiting.get_nowait()

    async def _take(self, request: Request) -> bool:
        if self._waiting.full():
            self.dropped += 1
            return False
        try:
            body = await request.body()
        except ClientDisconnect:
            return False
        query = request.scope["query_string"].decode("latin-1")
        copy = CopiedRequest(
            method=request.method,
            target=request.scope["raw_path"].decode("latin-1") + (f"?{query}" if query else ""),
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw),
            body=body,
        )
        try:
            self._waiting.put_nowait(copy)
        except asyncio.QueueFull:
            self.dropped += 1
            return False
        return True


def bind(path: Path) -> socket.socket:
    """A listening socket that only this user reaches. The file of a controller that was killed is replaced."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    path.chmod(0o600)
    return listening
