"""Stands in front of a server and fails a part of its requests, on the socket: the fault of a demonstration."""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from podium.aio import tasks
from podium.demo.proxied_request import ProxiedRequest, read_request

Fault = Literal["errors", "slow", "reset", "hang", "none"]

SLOW_SECONDS = 0.4
_HOST = "127.0.0.1"
_PIECE_BYTES = 65536
_BODY = b'{"error": {"message": "made to fail", "code": "internal"}}'
_ERROR = (
    b"HTTP/1.1 500 Internal Server Error\r\ncontent-type: application/json\r\n"
    b"content-length: " + str(len(_BODY)).encode() + b"\r\n\r\n" + _BODY
)


@dataclass
class FaultCounts:
    """What the proxy has seen and done. Only POST requests are counted and failed; probes pass."""

    requests: int = 0
    failures: int = 0


class FaultProxy:
    """Hands on what one connection after another asks of ``target_port``, and fails a part (``rate``, 0 to 1) of it.

    ``errors``: a 500, of which the server never hears. ``slow``: handed on ``SLOW_SECONDS`` late. ``reset``: the
    connection is reset once the request is read. ``hang``: no answer ever comes. ``none``: everything is handed on.
    """

    def __init__(self, target_port: int, fault: Fault, rate: float) -> None:
        self._target_port = target_port
        self._fault = fault
        self._rate = rate
        self._chance = random.Random()  # noqa: S311 - chance, not a secret
        self.counts = FaultCounts()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection of the gateway, until either side ends it. Cancelled, it is closed."""
        with contextlib.closing(writer), contextlib.suppress(OSError, ValueError):  # a side left, or speaks otherwise
            answers, upstream = await asyncio.open_connection(_HOST, self._target_port)
            back = tasks.start(_hand_on(answers, writer), name="answers of the proxied server")
            try:
                while (request := await read_request(reader)) is not None:
                    fault = self._fault_of(request)
                    if fault in {"none", "slow"}:
                        await asyncio.sleep(SLOW_SECONDS if fault == "slow" else 0)
                        upstream.write(request.data)
                        await upstream.drain()
                    elif not await _fail(fault, reader, writer):
                        return
            finally:
                upstream.close()
                await tasks.stop(back)

    def _fault_of(self, request: ProxiedRequest) -> Fault:
        if request.method != "POST":
            return "none"
        self.counts.requests += 1
        if self._fault == "none" or self._chance.random() >= self._rate:
            return "none"
        self.counts.failures += 1
        return self._fault


async def _fail(fault: Fault, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
    """Whether the connection can be used again."""
    if fault == "errors":
        writer.write(_ERROR)
        await writer.drain()
        return True
    if fault == "reset":
        at_once = struct.pack("ii", 1, 0)  # SO_LINGER with no time: closing sends RST
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
        writer.transport.abort()
        return False
    await reader.read()  # hang: until the gateway gives up
    return False


async def _hand_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Everything from one side to the other; its end ends the other side too."""
    with contextlib.closing(writer), contextlib.suppress(OSError):
        while piece := await reader.read(_PIECE_BYTES):
            writer.write(piece)
            await writer.drain()


@asynccontextmanager
async def listening(proxy: FaultProxy, port: int) -> AsyncIterator[None]:
    """``proxy`` on ``port`` of this machine; afterwards its connections are closed."""
    open_now: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = tasks.start(proxy.serve(reader, writer), name="proxied connection")
        open_now.add(connection)
        connection.add_done_callback(open_now.discard)

    server = await asyncio.start_server(accept, _HOST, port)
    try:
        yield
    finally:
        server.close()
        await tasks.stop(*open_now)
