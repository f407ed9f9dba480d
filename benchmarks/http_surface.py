"""What the HTTP surface itself costs: CPU of hostile bodies, of long prompts, and of a streamed token.

Run ``python benchmarks/http_surface.py`` from the repository's root. No engine takes part; the dispatcher
is the tests' fake one. Times are CPU times of this process, the smallest of several runs.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
import uvloop

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))

from podium.api.app import create_app
from podium.api.native.events import GenerateEvents
from podium.api.openai.events import ChatEvents, CompletionEvents
from podium.api.streaming import EventStream
from podium.config.server import RequestLimits, Server
from podium.core.generation import Chunk
from support.asgi import Client, call_async, exchange, scope_of
from support.hostile import MALFORMED, WRONG_FIELDS, WRONG_SAMPLING
from support.http_doubles import FakeGeneration, fake_backend
from support.http_routes import body_paths

ROUNDS = 5
TOKENS = 20_000


def cpu_seconds(work: Callable[[], Any]) -> float:
    """CPU time of the fastest of several runs."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        work()
        best = min(best, time.process_time() - start)
    return best


def hostile_bodies() -> None:
    """CPU for every hostile body on every route; the slowest ten."""
    app = create_app(fake_backend())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = []
        for name, body in {**MALFORMED, **WRONG_FIELDS, **WRONG_SAMPLING}.items():
            for path in body_paths():
                seconds = cpu_seconds(lambda: runner.run(call_async(app, "POST", path, body)))  # noqa: B023
                found.append((seconds, name, path, len(body)))
    found.sort(reverse=True)
    print(f"{len(found)} hostile requests; slowest ten, CPU ms:")
    for seconds, name, path, size in found[:10]:
        print(f"  {seconds * 1e3:7.2f}  {name} ({size} bytes) on {path}")


def long_prompts() -> None:
    """CPU for good requests with large bodies."""
    app = create_app(fake_backend(server=Server(limits=RequestLimits(body_bytes=8 * 1024 * 1024))))
    text = "the quick brown fox jumps over the lazy dog " * 15_000
    bodies = {
        "660 kB of text": ("/generate", {"prompt": text, "max_new_tokens": 1}),
        "660 kB of Chinese": ("/generate", {"prompt": "狐狸跳过了懒狗" * 31_000, "max_new_tokens": 1}),
        "120,000 token ids": ("/v1/completions", {"prompt": list(range(1000, 121_000)), "max_tokens": 1}),
        "1,000,000 token ids": ("/v1/completions", {"prompt": [50_000] * 1_000_000, "max_tokens": 1}),
        "a chat of 2,000 messages": (
            "/v1/chat/completions",
            {"messages": [{"role": "user", "content": "x" * 300}] * 2000, "max_tokens": 1},
        ),
    }
    print("good requests, CPU ms:")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name, (path, body) in bodies.items():
            encoded = json.dumps(body, ensure_ascii=False).encode()
            seconds = cpu_seconds(lambda: runner.run(call_async(app, "POST", path, encoded)))  # noqa: B023
            print(f"  {seconds * 1e3:7.2f}  {name} ({len(encoded)} bytes)")


class _Instant(FakeGeneration):
    """Chunks that are all there, so that only our own work is measured."""

    def __init__(self, chunks: list[Chunk]) -> None:
        super().__init__("demo", [])
        self._chunks = iter(chunks)

    async def __anext__(self) -> Chunk:
        try:
            return next(self._chunks)
        except StopIteration:
            raise StopAsyncIteration from None


def streamed_tokens() -> None:
    """CPU for one token's event, encoded and through the whole stream."""
    chunks = [Chunk(0, " token", (7,), 1, prompt_tokens=9) for _ in range(TOKENS)]
    chunks.append(Chunk(0, ".", (7,), 1, finish_reason="stop", prompt_tokens=9))
    flags = {"include_usage": True, "continuous_usage": False}
    writers: dict[str, Callable[[], Any]] = {
        "chat": lambda: ChatEvents("chatcmpl-1", 1, "demo", **flags),
        "chat, continuous usage": lambda: ChatEvents("c", 1, "demo", include_usage=True, continuous_usage=True),
        "completions": lambda: CompletionEvents("cmpl-1", 1, "demo", choices=1, **flags),
        "native": lambda: GenerateEvents("req-1", "demo", ""),
    }
    print("one streamed token, CPU µs (encoding alone / whole stream without sockets):")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        for name, make in writers.items():
            encoding = cpu_seconds(lambda: [writer.event(0, chunk) for writer in [make()] for chunk in chunks])  # noqa: B023
            whole = cpu_seconds(lambda: runner.run(_stream(chunks, make())))  # noqa: B023
            print(f"  {encoding / TOKENS * 1e6:6.2f} / {whole / TOKENS * 1e6:6.2f}  {name}")


async def _stream(chunks: list[Chunk], writer: Any) -> None:
    stream = EventStream([_Instant(chunks)], writer, choices=1, stall_seconds=30)
    client = Client([])
    await exchange(stream, client, scope_of("POST", "/", []))
    assert client.answer.complete


if __name__ == "__main__":
    structlog.configure(
        processors=[],
        logger_factory=structlog.ReturnLoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(50),
    )
    streamed_tokens()
    long_prompts()
    hostile_bodies()
