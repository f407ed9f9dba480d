"""Requests to a gateway, and how each of them ended for its client."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from benchmarks.gateway.stack import BODY, PATH
from benchmarks.loopback.blocking_connection import ask_once
from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import Answer, post


@dataclass
class Tally:
    """Ends of requests. ``expected`` is the whole body of a good answer, as a server gave it without a gateway.

    Ends: ``whole``; ``failed`` before the first byte (another status, or no head of an answer); ``cut`` after it, which
    the client noticed; ``silent``: an answer that looked whole and was not.
    """

    expected: bytes
    more: dict[str, Any] = field(default_factory=dict)
    ends: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)

    async def ask(self, port: int) -> None:
        """One request on a connection of its own."""
        seen: list[int] = []

        def note(answer: Answer, _: bytes) -> None:
            seen.append(answer.status)

        connection = None
        try:
            connection = await Connection.open(port)
            answer = await connection.ask(post(port, PATH, {**BODY, **self.more}), note)
        except (OSError, TimeoutError) as error:
            self._end("cut" if seen else "failed", repr(error))
        else:
            self._judge(answer)
        finally:
            if connection is not None:
                connection.close()

    def _judge(self, answer: Answer) -> None:
        if answer.status != 200:
            self._end("failed", f"{answer.status} {answer.body[:100]!r}")
        elif answer.body != self.expected:
            self._end("silent", f"{len(answer.body)} bytes of {len(self.expected)}")
        else:
            self._end("whole", "")

    def _end(self, end: str, said: str) -> None:
        self.ends[end] += 1
        if said and end != "cut" and len(self.examples) < 5:
            self.examples.append(said)

    async def paced(self, port: int, count: int, seconds: float) -> None:
        """``count`` requests spread evenly over ``seconds``; returns when all have ended."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for number in range(count):
                await asyncio.sleep(began + seconds * number / count - time.monotonic())
                group.create_task(self.ask(port), name=f"request {number}")


def whole_body(port: int, **more: Any) -> bytes:
    """What a server answers without a gateway."""
    return ask_once(port, post(port, PATH, {**BODY, **more})).body
