"""A steady load of short requests on kept connections, each sent on time or left out."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import dataclass, field

from benchmarks.gateway.stack import BODY, PATH
from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import post

REQUESTS_PER_SECOND = 300


@dataclass
class Steady:
    """What was measured: seconds of each answer, and how many requests were not answered with 200, or not sent."""

    port: int
    key: str = "none"
    connections: int = 16
    requests_per_second: int = REQUESTS_PER_SECOND
    seconds: list[float] = field(default_factory=list)
    failed: int = 0
    left_out: int = 0

    async def run(self, seconds: float) -> None:
        """Ask for so long."""
        until = time.monotonic() + seconds
        async with asyncio.TaskGroup() as group:
            for number in range(self.connections):
                group.create_task(self._client(number, until), name=f"client {number}")

    async def _client(self, number: int, until: float) -> None:
        interval = self.connections / self.requests_per_second
        request = post(self.port, PATH, BODY, key=self.key)
        connection = await Connection.open(self.port)
        due = time.monotonic() + interval * number / self.connections
        while due < until:
            await asyncio.sleep(due - time.monotonic())
            started = time.perf_counter()
            answer = await connection.ask(request)
            self.seconds.append(time.perf_counter() - started)
            self.failed += answer.status != 200
            turns = max(1, math.ceil((time.monotonic() - due) / interval))
            self.left_out += turns - 1
            due += interval * turns
        connection.close()
