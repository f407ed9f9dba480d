"""A steady load on one server: kept prompts, new ones, and new ones again; every request with time and outcome."""

from __future__ import annotations

import asyncio
import math
import random
import secrets
import time
from collections import deque
from dataclasses import dataclass, field

from benchmarks.loopback.connection import Connection
from benchmarks.loopback.dialects import call
from benchmarks.loopback.http_message import post
from benchmarks.loopback.podium_server import Podium

CLIENTS = 16
REQUESTS_PER_SECOND = 160
KEPT_PROMPTS = 20
KEPT_SHARE, AGAIN_SHARE = 0.5, 0.25  # the rest are new
REMEMBERED = 60
OUTPUT_TOKENS = 16


@dataclass(frozen=True)
class Outcome:
    """A request, in seconds of ``time.monotonic``. ``status`` 0: the connection failed. ``first_asked``: its prompt."""

    sent: float
    seconds: float
    status: int
    cache: str
    first_asked: float


@dataclass
class SteadyLoad:
    """``CLIENTS`` connections that take turns, each with a request at fixed intervals.

    One whose answer is late leaves turns out, so that clients never bunch.
    """

    server: Podium
    key: str
    outcomes: list[Outcome] = field(default_factory=list)
    _first_asked: dict[str, float] = field(default_factory=dict)
    _recent: deque[str] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _chance: random.Random = field(default_factory=lambda: random.Random(5))  # noqa: S311 - a repeatable mix

    async def run(self, until: float) -> None:
        """Until that time."""
        async with asyncio.TaskGroup() as group:
            for number in range(CLIENTS):
                group.create_task(self._client(number, until), name=f"client {number}")

    async def _client(self, number: int, until: float) -> None:
        interval = CLIENTS / REQUESTS_PER_SECOND
        due = time.monotonic() + interval * number / CLIENTS
        connection = None
        while time.monotonic() < until:
            await asyncio.sleep(due - time.monotonic())
            try:
                connection = connection or await Connection.open(self.server.port)
                await self._ask(connection)
            except (OSError, TimeoutError):
                now = time.monotonic()
                self.outcomes.append(Outcome(now, 0.0, 0, "", now))
                connection = None
            due += interval * max(1, math.ceil((time.monotonic() - due) / interval))
        if connection is not None:
            connection.close()

    async def _ask(self, connection: Connection) -> None:
        prompt = self._prompt()
        path, body = call("chat", prompt, OUTPUT_TOKENS)
        request = post(self.server.port, path, body, key=self.key)
        sent = time.monotonic()
        first_asked = self._first_asked.setdefault(prompt, sent)
        answer = await connection.ask(request)
        seconds = time.monotonic() - sent
        self.outcomes.append(Outcome(sent, seconds, answer.status, answer.cache, first_asked))

    def _prompt(self) -> str:
        share = self._chance.random()
        if share < KEPT_SHARE:
            return f"kept prompt {self._chance.randrange(KEPT_PROMPTS):04d}"
        if share < KEPT_SHARE + AGAIN_SHARE and self._recent:
            return self._chance.choice(self._recent)
        prompt = f"new prompt {secrets.token_hex(8)}"
        self._recent.append(prompt)
        return prompt
