"""A server that answers as fast as it can, or fails in the way it is told: ``python -m benchmarks.gateway.upstream``.

``GET /behave/NAME`` tells it how to answer POSTs from then on, ``GET /active`` how many it is answering now. Streams
have ``--tokens`` events, one every ``--interval`` seconds; with ``--stamped`` each says when it was sent.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import resource
import signal
import socket
import struct
import time
from collections.abc import Callable

import uvloop

ANSWER = (
    b'{"id":"chatcmpl-1","object":"chat.completion","created":1700000000,"model":"echo","choices":[{"index":0,'
    b'"message":{"role":"assistant","content":"the same words as always"},"finish_reason":"stop"}],'
    b'"usage":{"prompt_tokens":9,"completion_tokens":5,"total_tokens":14}}'
)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
CUT_AFTER = 3  # events of a stream that is cut
MEMORY_BYTES = 512 * 1024 * 1024  # address space beyond what it uses, for the behaviour `oom`


def event(number: int, *, stamped: bool) -> bytes:
    """One event of a stream, as a chunk."""
    text = (
        f'data: {{"token":{number},"sent_ns":{time.monotonic_ns()}}}\n\n'
        if stamped
        else f'data: {{"token":{number}}}\n\n'
    )
    return f"{len(text):x}\r\n{text}\r\n".encode()


class Upstream:
    """What all connections share."""

    def __init__(self, given: argparse.Namespace) -> None:
        self.given = given
        self.behaviour = given.behaviour
        self.active = 0
        self.starts_at = time.monotonic() + given.healthy_after


class Served(asyncio.Protocol):
    """One connection; requests have a length or no body."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._data = b""
        self._transport: asyncio.Transport
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See ``asyncio.Protocol``."""
        self._transport = transport  # type: ignore[assignment]

    def connection_lost(self, _: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        if self._task is not None:
            self._task.cancel()

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            _, mark, rest = head.partition(b"\r\ncontent-length:")
            whole = end + 4 + (int(rest.split(b"\r\n", 1)[0]) if mark else 0)
            if len(self._data) < whole:
                return
            body, self._data = self._data[end + 4 : whole], self._data[whole:]
            self._answer(head.split(b" ", 2), body)

    def _answer(self, words: list[bytes], body: bytes) -> None:
        upstream = self._upstream
        path = words[1].decode()
        ill = upstream.behaviour == "unhealthy" or time.monotonic() < upstream.starts_at
        if words[0] == b"get":
            if path.startswith("/behave/"):
                upstream.behaviour = path.removeprefix("/behave/")
            self._reply(503 if path == "/readyz" and ill else 200, str(upstream.active).encode())
            return
        act = self._faults().get("unhealthy" if ill else upstream.behaviour)
        if act is not None:
            act()
        elif b'"stream":true' in body:
            self._task = asyncio.get_running_loop().create_task(self._stream(), name="stream")
        elif upstream.given.delay:
            asyncio.get_running_loop().call_later(upstream.given.delay, self._reply, 200, ANSWER)
        else:
            self._reply(200, ANSWER)

    def _faults(self) -> dict[str, Callable[[], None]]:
        return {
            "500": lambda: self._reply(500, b"{}"),
            "unhealthy": lambda: self._reply(503, b"{}"),
            "reset": self._reset,
            "hang": lambda: None,
            "oom": run_out_of_memory,
        }

    def _reply(self, status: int, body: bytes) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n\r\n"
        self._transport.write(head.encode() + body)

    def _reset(self) -> None:
        connection = self._transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    async def _stream(self) -> None:
        upstream, given = self._upstream, self._upstream.given
        upstream.active += 1
        try:
            self._transport.write(STREAM_HEAD)
            for number in range(given.tokens):
                if upstream.behaviour == "cut" and number == CUT_AFTER:
                    self._transport.close()  # without the chunk that ends a body
                    return
                self._transport.write(event(number, stamped=given.stamped))
                await asyncio.sleep(given.interval)
            self._transport.write(b"e\r\ndata: [DONE]\n\n\r\n0\r\n\r\n")
        finally:
            upstream.active -= 1


def run_out_of_memory() -> None:
    """Take memory until the limit of this process, then end as one that the kernel chooses does: by SIGKILL."""
    limit = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize() + MEMORY_BYTES  # noqa: PTH123, SIM115
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    taken = []
    try:
        while True:
            taken.append(bytearray(16 * 1024 * 1024))
    except MemoryError:
        os.kill(os.getpid(), signal.SIGKILL)


async def _serve(given: argparse.Namespace) -> None:
    upstream = Upstream(given)
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    server = await loop.create_server(lambda: Served(upstream), "127.0.0.1", given.port, backlog=1024)
    await stop.wait()
    server.close()


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gateway.upstream", description=__doc__)
    parser.add_argument("port", type=int)
    parser.add_argument("--behaviour", default="ok")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before an answer")
    parser.add_argument("--tokens", type=int, default=25)
    parser.add_argument("--interval", type=float, default=0.02)
    parser.add_argument("--stamped", action="store_true")
    parser.add_argument("--healthy-after", type=float, default=0.0, help="seconds after the start")
    uvloop.run(_serve(parser.parse_args()))


if __name__ == "__main__":
    main()
