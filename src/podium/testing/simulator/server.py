"""The simulator's HTTP side: ``python -m podium.testing.simulator.server BEHAVIOUR.json TRUTH.jsonl [PORT]``.

It prints its port and ends with its standard input.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import re
import sys
import time
from collections.abc import Awaitable
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
import uvloop

from podium.testing.simulator.behaviour import Behaviour, Draws, Truth, draws_for

_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
_ID = re.compile(rb"x-request-id: *([^\r]+)", re.IGNORECASE)
_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\nx-request-id: %b\r\n\r\n"
_MODELS = {"object": "list", "data": [{"id": "simulated", "object": "model", "root": "simulated"}]}
_ERROR = {"error": {"message": "The simulator was told to fail.", "code": "simulated"}}
STALL_SECONDS = 3600.0
MOST_HEAD_BYTES = 1 << 16


class Cut(Exception):
    """The connection ends here, on purpose."""


class Ended(Exception):
    """The answer ends here, whole as HTTP, and the connection lives on."""


class _Arrival(asyncio.StreamReaderProtocol):
    """Notes when the first bytes of a request were read, before a task is woken for them."""

    first_read_at: float | None = None

    def data_received(self, data: bytes) -> None:
        if self.first_read_at is None:
            self.first_read_at = time.monotonic()
        super().data_received(data)

    def take(self) -> float:
        """The stamp; what comes next is another request."""
        stamp, self.first_read_at = self.first_read_at, None
        return time.monotonic() if stamp is None else stamp


class Simulator:
    """Answers connections by one behaviour; each finished request is a line of ``log``."""

    def __init__(self, behaviour: Behaviour, log: BinaryIO) -> None:
        self._behaviour = behaviour
        self._log = log
        self._running = asyncio.Semaphore(behaviour.most_running)
        self._count = 0

    def connection(self) -> asyncio.Protocol:
        """Serves one connection, to its end, in a task of its own."""
        reader = asyncio.StreamReader(limit=MOST_HEAD_BYTES)

        def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Awaitable[None]:
            return self._serve(reader, writer, arrival)

        arrival = _Arrival(reader, serve)
        return arrival

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, arrival: _Arrival) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError, Cut):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = _LENGTH.search(head)
                body = await reader.readexactly(int(found[1])) if found else b""
                received = arrival.take()
                await self._answer(head, body, received, writer)
        writer.close()

    async def _answer(self, head: bytes, body: bytes, received: float, writer: asyncio.StreamWriter) -> None:
        if not body:
            writer.write(_json_answer(200, _MODELS))
            return
        self._count += 1
        given = _ID.search(head)
        request_id = given[1].decode() if given else f"request-{self._count}"
        truth = Truth(request_id=request_id, received_at=received)
        asked = msgspec.json.decode(body)
        try:
            async with self._running:
                await self._generate(asked, truth, writer, chat=b"chat" in head.split(b" ", 2)[1])
        finally:
            self._log.write(msgspec.json.encode(truth) + b"\n")
            self._log.flush()

    async def _generate(self, asked: dict[str, Any], truth: Truth, writer: asyncio.StreamWriter, *, chat: bool) -> None:
        own = self._behaviour
        tokens = int(asked.get("max_tokens") or 16)
        sizes = [min(own.tokens_per_frame, tokens - done) for done in range(0, tokens, own.tokens_per_frame)]
        draws = draws_for(own, truth.request_id.rpartition("-")[2], len(sizes))
        truth.fault = draws.fault
        truth.prompt_tokens = own.prompt_tokens or _words(asked)
        if draws.fault == "refuse":
            writer.write(_json_answer(503, _ERROR))
            return
        await asyncio.sleep(min(own.headers_after, draws.first))
        truth.head_at = time.monotonic()
        writer.write(_HEAD % truth.request_id.encode())
        if own.role_first:
            _frame(writer, {"choices": [{"index": 0, "delta": {"role": "assistant"}}]})
        with contextlib.suppress(Ended):
            await _tokens(sizes, draws, max(0.0, draws.first - own.headers_after), truth, writer, chat=chat)
            _close(truth, writer)


async def _tokens(
    sizes: list[int], draws: Draws, first: float, truth: Truth, writer: asyncio.StreamWriter, *, chat: bool
) -> None:
    """Send the frames at the drawn times; lateness of one does not add to the next."""
    due = time.monotonic()
    for number, (size, gap) in enumerate(zip(sizes, [first, *draws.gaps], strict=True)):
        due += gap
        await asyncio.sleep(max(0.0, due - time.monotonic()))
        if number == len(sizes) // 2:
            await _break(draws.fault, writer)
        last = number == len(sizes) - 1
        text = " a" * size
        said: dict[str, Any] = {"delta": {"content": text}} if chat else {"text": text}
        frame = _framed({"choices": [{"index": 0, **said, "finish_reason": "length" if last else None}]})
        truth.token_at.append(time.monotonic())
        writer.write(frame)
        truth.frame_tokens.append(size)
        truth.tokens += size
        await writer.drain()


async def _break(fault: str, writer: asyncio.StreamWriter) -> None:
    if fault == "error_frame":
        _frame(writer, _ERROR)
        writer.write(b"0\r\n\r\n")
        raise Ended
    if fault == "cut":
        await writer.drain()
        raise Cut
    if fault == "stall":
        await asyncio.sleep(STALL_SECONDS)


def _close(truth: Truth, writer: asyncio.StreamWriter) -> None:
    """Usage and the last frame, unless the fault is about them."""
    if truth.fault != "no_usage":
        truth.told_tokens = truth.tokens - (3 if truth.fault == "wrong_usage" else 0)
        total = truth.prompt_tokens + truth.told_tokens
        told = {"prompt_tokens": truth.prompt_tokens, "completion_tokens": truth.told_tokens, "total_tokens": total}
        _frame(writer, {"choices": [], "usage": told})
    if truth.fault != "no_last_frame":
        writer.write(b"e\r\ndata: [DONE]\n\n\r\n")
    writer.write(b"0\r\n\r\n")
    truth.done_at = time.monotonic()


def _frame(writer: asyncio.StreamWriter, event: dict[str, Any]) -> None:
    writer.write(_framed(event))


def _framed(event: dict[str, Any]) -> bytes:
    data = b"data: " + msgspec.json.encode({"object": "chunk", "model": "simulated", **event}) + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def _json_answer(status: int, value: object) -> bytes:
    body = msgspec.json.encode(value)
    head = b"HTTP/1.1 %d X\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
    return head % (status, len(body)) + body


def _words(asked: dict[str, Any]) -> int:
    texts = [asked["prompt"]] if "prompt" in asked else [message["content"] for message in asked["messages"]]
    return sum(len(str(text).split()) for text in texts)


async def _serve(behaviour: Behaviour, log: Path, port: int) -> None:
    with log.open("ab") as file:
        simulator = Simulator(behaviour, file)
        loop = asyncio.get_running_loop()
        server = await loop.create_server(simulator.connection, "127.0.0.1", port, backlog=1024)
        sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
        sys.stdout.flush()
        ended = asyncio.Event()
        loop.add_reader(sys.stdin.fileno(), ended.set)
        await ended.wait()
        server.close()


if __name__ == "__main__":
    wanted = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=Behaviour)
    gc.freeze()
    gc.disable()  # a collection would stand between a stamp and its bytes
    uvloop.run(_serve(wanted, Path(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 0))
