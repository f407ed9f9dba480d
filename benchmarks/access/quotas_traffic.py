"""Clients of several servers: mixed requests at random moments, some of which hang up."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from benchmarks.access.places import Key
from benchmarks.access.quotas_history import History
from benchmarks.loopback.connection import Broken, Connection
from benchmarks.loopback.dialects import DIALECTS, Dialect, Events, call, prompt_seen, text_of
from benchmarks.loopback.http_message import Answer, post

ABORTED_SHARE = 1 / 3
STREAMED_SHARE = 0.6
MOST_PROMPT_TOKENS = 40
MOST_OUTPUT_TOKENS = 100
TOKEN_SECONDS = 0.03
LAG_SECONDS = 0.02


@dataclass(frozen=True)
class Planned:
    """One request. ``abort_after`` None: the client stays to the end."""

    name: str
    key: Key
    dialect: Dialect
    stream: bool
    prompt: str
    output_tokens: int
    abort_after: float | None

    def payload(self, port: int) -> bytes:
        """It as bytes; the request's id is its name."""
        path, body = call(self.dialect, self.prompt, self.output_tokens, stream=self.stream, ignore_eos=True)
        return post(port, path, body, key=self.key.text, headers={"x-request-id": self.name})


def planned(number: int, keys: Sequence[Key], chance: random.Random) -> Planned:
    """Request ``number``, drawn."""
    output_tokens = chance.randint(1, MOST_OUTPUT_TOKENS)
    aborted = chance.random() < ABORTED_SHARE
    return Planned(
        name=f"q-{number:05d}",
        key=chance.choice(keys),
        dialect=chance.choice(DIALECTS),
        stream=chance.random() < STREAMED_SHARE,
        prompt="x" * chance.randint(1, MOST_PROMPT_TOKENS),
        output_tokens=output_tokens,
        abort_after=chance.uniform(0, 1.2 * output_tokens * TOKEN_SECONDS) if aborted else None,
    )


@dataclass
class Traffic:
    """Sends, and writes down what came.

    ``ports`` are those of servers that live; ``server_of`` says who got which request, ``answering`` which ones
    have begun where.
    """

    ports: list[int]
    chance: random.Random
    history: History = field(default_factory=History)
    counts: Counter[str] = field(default_factory=Counter)
    server_of: dict[str, int] = field(default_factory=dict)
    answering: dict[int, set[str]] = field(default_factory=dict)
    lags: list[float] = field(default_factory=list)

    async def send_all(self, requests: Sequence[Planned], per_second: float) -> None:
        """Start each at an exponential distance from the one before, and wait for all to end."""
        due = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for request in requests:
                due += self.chance.expovariate(per_second)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                group.create_task(self._send(request), name=request.name)

    async def watch_lag(self) -> None:
        """How late this process itself is, until cancelled: by so much may a token be counted late."""
        while True:
            due = time.monotonic() + LAG_SECONDS
            await asyncio.sleep(LAG_SECONDS)
            self.lags.append(time.monotonic() - due)

    async def _send(self, request: Planned) -> None:
        connection, port = await self._connect()
        self.server_of[request.name] = port
        handle = None
        if request.abort_after is not None:
            handle = asyncio.get_running_loop().call_later(request.abort_after, connection.close)
        reader = _Reader(request, self.history, self.answering.setdefault(port, set()))
        try:
            answer = await connection.ask(request.payload(port), reader.read)
            reader.end(answer)
            self.counts[str(answer.status)] += 1
        except Broken:
            self.counts["aborted" if request.abort_after is not None else "cut off"] += 1
        finally:
            reader.begun.discard(request.name)
            if handle is not None:
                handle.cancel()
            connection.close()

    async def _connect(self) -> tuple[Connection, int]:
        """To one of the servers; to another one when that is gone."""
        while True:
            port = self.chance.choice(self.ports)
            try:
                return await Connection.open(port), port
            except OSError:
                self.counts["moved"] += 1
                if port in self.ports:
                    self.ports.remove(port)


class _Reader:
    """Writes down tokens as they come; a token is a character here. The prompt counts when its answer begins."""

    def __init__(self, request: Planned, history: History, begun: set[str]) -> None:
        self.begun = begun
        self._request = request
        self._history = history
        self._sent = time.monotonic()
        self._events = Events()

    def read(self, answer: Answer, data: bytes) -> None:
        """For ``Connection.ask``."""
        request = self._request
        if answer.status != 200:
            return
        if request.name not in self.begun:
            self.begun.add(request.name)
            self._history.admit(request.key.id, self._sent)
            if request.stream:
                self._history.deliver(request.key.id, len(prompt_seen(request.dialect, request.prompt)))
        if request.stream and (tokens := sum(len(text_of(event)) for event in self._events.feed(data))):
            self._history.deliver(request.key.id, tokens)

    def end(self, answer: Answer) -> None:
        """The answer is whole."""
        if answer.status == 200 and not self._request.stream:
            self._history.deliver(self._request.key.id, answer.json()["usage"]["total_tokens"])
