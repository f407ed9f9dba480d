"""Row ``tenants``: many tenants, one cache, and never an answer that is somebody else's."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import uvloop

from benchmarks.access.places import Key, Place, Wanted, make_keys
from benchmarks.access.tenants_plan import TENANTS, Asked, plan
from benchmarks.loopback.connection import Broken, Connection
from benchmarks.loopback.dialects import call, events_in, text_of
from benchmarks.loopback.http_message import Answer, post
from benchmarks.loopback.podium_server import Podium, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings

ROW = "tenants"
REQUESTS = 100_000
CONNECTIONS = 32
OUTPUT_TOKENS = 128
SEED = 1
MOST_EXAMPLES = 5
_NONCE = re.compile(r"(?:t\d\d|all)-\d{6}-[0-9a-f]{16}")


def measure(around: Surroundings) -> None:
    """All requests of the plan, over a fixed number of connections, each with the next request."""
    count = 4_000 if around.quick else REQUESTS
    place = Place(around.work / f"{ROW}.db")
    keys = make_keys(place, [Wanted(f"tenant-{number:02d}") for number in range(TENANTS)])
    with podium_server(Wish(ROW, sections=place.sections()), around) as server:
        before = around.quiet()
        started = time.monotonic()
        book = uvloop.run(_run(server, keys, plan(count, SEED)))
        seconds = time.monotonic() - started
    values = {"requests": count, "tenants": TENANTS, "seconds": round(seconds, 1), **book.figures()}
    parameters = {"connections": CONNECTIONS, "seed": SEED, "store": "memory"}
    around.record(ROW, values=values, examples=book.examples, before=before, parameters=parameters)


@dataclass
class _Book:
    """What was asked so far, and what came of it."""

    asks: Counter[tuple[int, str]] = field(default_factory=Counter)
    counts: Counter[str] = field(default_factory=Counter)
    by_cache: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def sent(self, asked: Asked) -> None:
        pair = (asked.tenant, asked.nonce)
        if not self.asks[pair]:
            self.counts["first asks"] += 1
        self.asks[pair] += 1

    def answered(self, asked: Asked, answer: Answer) -> None:
        if answer.status != 200:
            self._wrong("failed", asked, f"{answer.status} {answer.body[:200]!r}")
            return
        self.counts["answered"] += 1
        self.by_cache[answer.cache] += 1
        text = _text(asked, answer)
        if text != asked.text:
            others = [nonce for nonce in _NONCE.findall(text) if nonce != asked.nonce]
            self._wrong("swapped" if others else "damaged", asked, text)
        if self.asks[asked.tenant, asked.nonce] == 1:
            self.counts["first asks answered"] += 1
            if answer.cache != "miss":
                self._wrong("shared", asked, answer.cache)

    def cancelled(self) -> None:
        self.counts["cancelled"] += 1

    def figures(self) -> dict[str, int]:
        """Counts; ``shared``: a tenant's first ask of a prompt that was said to be a hit or an attach."""
        wrong = {name: self.counts[name] for name in ("swapped", "damaged", "shared", "failed")}
        right = {name.replace(" ", "_"): self.counts[name] for name in ("answered", "cancelled", "first asks")}
        caches = {name: self.by_cache[name] for name in ("hit", "attach", "miss", "bypass")}
        return {**right, "first_asks_answered": self.counts["first asks answered"], **caches, **wrong}

    def _wrong(self, kind: str, asked: Asked, what: str) -> None:
        self.counts[kind] += 1
        if len(self.examples) < MOST_EXAMPLES:
            self.examples.append({"kind": kind, "tenant": asked.tenant, "nonce": asked.nonce, "what": what[:300]})


def _text(asked: Asked, answer: Answer) -> str:
    if not asked.stream:
        return text_of(answer.json())
    return "".join(map(text_of, events_in(answer.body)))


async def _run(server: Podium, keys: list[Key], asks: Iterator[Asked]) -> _Book:
    book = _Book()
    async with asyncio.TaskGroup() as group:
        for number in range(CONNECTIONS):
            group.create_task(_client(server, keys, asks, book), name=f"client {number}")
    return book


async def _client(server: Podium, keys: list[Key], asks: Iterator[Asked], book: _Book) -> None:
    connection = await Connection.open(server.port)
    for asked in asks:
        path, body = call(asked.dialect, asked.prompt, OUTPUT_TOKENS, stream=asked.stream)
        request = post(server.port, path, body, key=keys[asked.tenant].text)
        book.sent(asked)
        answer = await _ask(connection, request, asked.cancel_after)
        if answer is None:
            book.cancelled()
        else:
            book.answered(asked, answer)
        if connection.closed:
            connection = await Connection.open(server.port)
    connection.close()


async def _ask(connection: Connection, request: bytes, cancel_after: float | None) -> Answer | None:
    """The answer, or None when the client hung up before it was whole."""
    if cancel_after is None:
        return await connection.ask(request)
    handle = asyncio.get_running_loop().call_later(cancel_after, connection.close)
    try:
        answer = await connection.ask(request)
    except Broken:
        return None
    finally:
        handle.cancel()
    return answer
