"""The load client: bytes out, events in, as little work for each event as possible.

It runs on the machine that it measures, so what it spends is taken from the server. Requests are
encoded and connections opened before the clock starts; an event is counted, not parsed.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import uvloop

from benchmarks.serving.timings import Timed

DEADLINE_SECONDS = 600.0
_EVENT_END = b"\n\n"
_BODY_END = b"0\r\n\r\n"
_KEPT_BYTES = 2048  # enough for the last events, which hold the usage


@dataclass(frozen=True)
class Planned:
    """A request ready to be sent. The first ``lead`` and last ``trail`` events carry no token."""

    at_seconds: float
    payload: bytes
    prompt_tokens: int
    lead: int = 0
    trail: int = 2


def http_post(host: str, port: int, path: str, body: dict[str, object]) -> bytes:
    """A whole HTTP/1.1 request."""
    content = json.dumps(body, separators=(",", ":")).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n"
        f"Accept: text/event-stream\r\nConnection: close\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


class _Stream(asyncio.Protocol):
    """One connection, one request, one answer."""

    def __init__(self, planned: Planned, ended: asyncio.Future[None]) -> None:
        self.planned = planned
        self.timed = Timed(sent=0.0, prompt_tokens=planned.prompt_tokens)
        self._ended = ended
        self._arrivals: list[tuple[float, int]] = []
        self._tail = b""
        self._head: bytes | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is one without saying so

    def send(self) -> None:
        self.timed.sent = time.perf_counter()
        self._transport.write(self.planned.payload)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._head is None:
            self._head = data[:64]
        count = data.count(_EVENT_END)
        if self._tail.endswith(b"\n") and data.startswith(b"\n"):
            count += 1
        if count:
            self._arrivals.append((now, count))
        self._tail = (self._tail + data)[-_KEPT_BYTES:] if len(data) < _KEPT_BYTES else data[-_KEPT_BYTES:]
        if data.endswith(_BODY_END):
            self._finish(now)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._finish(time.perf_counter())

    def _finish(self, now: float) -> None:
        if self._ended.done():
            return
        self.timed.ended = now
        self.timed.error = self._error()
        if self.timed.error is None:
            self.timed.output_tokens = _completion_tokens(self._tail)
            self.timed.arrivals = _with_tokens(self._arrivals, self.planned.lead, self.planned.trail)
            if not self.timed.arrivals or not self.timed.output_tokens:
                self.timed.error = f"no tokens: {self._tail[-200:]!r}"
        self._ended.set_result(None)
        self._transport.close()

    def _error(self) -> str | None:
        if self._head is None:
            return "closed without an answer"
        if b" 200 " not in self._head[:16] or b'"error"' in self._tail:
            return f"{self._head!r} … {self._tail[-300:]!r}"
        if not self._tail.endswith(_BODY_END):
            return "the stream broke off"
        return None


def _with_tokens(arrivals: list[tuple[float, int]], lead: int, trail: int) -> list[tuple[float, int]]:
    """Without the first and last events, which carry no tokens."""
    times = [at for at, count in arrivals for _ in range(count)]
    kept = times[lead : len(times) - trail]
    merged: list[tuple[float, int]] = []
    for at in kept:
        if merged and merged[-1][0] == at:
            merged[-1] = (at, merged[-1][1] + 1)
        else:
            merged.append((at, 1))
    return merged


def _completion_tokens(tail: bytes) -> int:
    """The server's own count, from the usage near the end."""
    _, found, rest = tail.rpartition(b'"completion_tokens":')
    digits = rest.lstrip()[:10]
    number = digits[: next((i for i, byte in enumerate(digits) if not 48 <= byte <= 57), len(digits))]
    return int(number) if found and number else 0


def run_load(host: str, port: int, planned: Sequence[Planned]) -> list[Timed]:
    """Send every request at its time and read all answers. Times are ``time.perf_counter`` seconds."""
    return uvloop.run(load(host, port, planned))


async def load(host: str, port: int, planned: Sequence[Planned]) -> list[Timed]:
    """``run_load``, within a running loop."""
    loop = asyncio.get_running_loop()
    streams: list[_Stream] = []
    for plan in planned:
        stream = _Stream(plan, loop.create_future())
        await loop.create_connection(lambda stream=stream: stream, host, port)  # type: ignore[misc]
        streams.append(stream)
    start = loop.time()
    for stream in streams:
        if stream.planned.at_seconds:
            loop.call_at(start + stream.planned.at_seconds, stream.send)
        else:
            stream.send()
    async with asyncio.timeout(DEADLINE_SECONDS):
        await asyncio.gather(*(stream._ended for stream in streams))  # noqa: SLF001 - same file
    return [stream.timed for stream in streams]
