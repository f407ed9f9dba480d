"""A real HTTP server around an application, on a free port, and a raw socket to it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Self

import uvicorn
from starlette.types import ASGIApp

from podium.api.connection import connections
from podium.config.server import RequestLimits
from support.deadline import until


class RunningServer:
    """uvicorn in a thread, as ``podium serve`` configures it."""

    def __init__(self, app: ASGIApp, limits: RequestLimits | None = None) -> None:
        config = uvicorn.Config(
            app,
            http=connections(limits or RequestLimits()),
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self._server = uvicorn.Server(config)
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self.loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="http-server")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def connections(self) -> int:
        """Open connections, as the server sees them."""
        return len(self._server.server_state.connections)

    def _run(self) -> None:
        async def serve() -> None:
            self.loop = asyncio.get_running_loop()
            await self._server.serve(sockets=[self._socket])

        asyncio.run(serve())

    def __enter__(self) -> Self:
        self._thread.start()
        until("the server answers", lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._server.force_exit = True
        self._thread.join(10)
        self._socket.close()

    @contextlib.contextmanager
    def connect(self, *, receive_buffer_bytes: int = 0) -> Iterator[socket.socket]:
        """A TCP connection."""
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as connection:
            if receive_buffer_bytes:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
            connection.settimeout(10)
            connection.connect(("127.0.0.1", self.port))
            yield connection


def post(path: str, body: bytes, *extra: str) -> bytes:
    """The bytes of a POST request."""
    lines = [
        f"POST {path} HTTP/1.1",
        "host: test",
        "content-type: application/json",
        f"content-length: {len(body)}",
        *extra,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def read_to_end(connection: socket.socket) -> bytes:
    """Everything until the server closes."""
    received = b""
    while True:
        try:
            piece = connection.recv(65536)
        except ConnectionResetError:
            return received
        if not piece:
            return received
        received += piece


def read_until(connection: socket.socket, mark: bytes) -> bytes:
    """Everything up to and including ``mark`` (or to the end, if it never comes)."""
    received = b""
    while mark not in received:
        piece = connection.recv(65536)
        if not piece:
            return received
        received += piece
    return received
