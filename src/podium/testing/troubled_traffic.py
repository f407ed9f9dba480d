"""Requests that end in every way: answers, hang-ups, refusals, broken streams, dead workers, reloads."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import signal
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import httpx
import psutil

from podium.testing.accounts import Accounts

TROUBLED = {
    "name": "echo",
    "source": "none",
    "engine": {"kind": "echo", "faults": True, "token_interval_seconds": 0.002, "max_batch_sequences": 4},
}
"""The echo model with a small batch: its queue is soon full."""
LIMITS = {"max_queue": 4, "heartbeat_seconds": 0.2, "drain_seconds": 1.0, "stall_seconds": 5.0}
SCRAPE_SECONDS = 0.05
TROUBLE_SECONDS = 1.5


@dataclass
class TroubledTraffic:
    """Traffic for a server that was started with ``TROUBLED`` and ``LIMITS``, whose pages go to ``accounts``.

    ``pid`` is the server's process, whose workers are killed; ``done`` counts what was tried, by its name.
    """

    traffic: str
    admin: str
    pid: int
    accounts: Accounts = field(default_factory=Accounts)
    done: Counter[str] = field(default_factory=Counter)
    callers: int = 12
    seed: int = 7

    async def run(self, seconds: float) -> None:
        """Go on for so long, scraping all the time; then let everything end and scrape once more."""
        self._random = random.Random(self.seed)  # noqa: S311 - which trouble comes next is no secret
        limits = httpx.Limits(max_connections=None)
        async with httpx.AsyncClient(base_url=self.traffic, timeout=60.0, trust_env=False, limits=limits) as client:
            self._client = client
            end = asyncio.get_running_loop().time() + seconds
            async with asyncio.TaskGroup() as group:
                watching = group.create_task(self._scrapes(), name="scrapes")
                loops = [group.create_task(self._until(end, self._request), name="caller") for _ in range(self.callers)]
                loops.append(group.create_task(self._until(end, self._trouble), name="trouble"))
                await asyncio.wait(loops)
                watching.cancel()
            await self._scrape()

    async def _until(self, end: float, work: Callable[[], Awaitable[None]]) -> None:
        while asyncio.get_running_loop().time() < end:
            with contextlib.suppress(httpx.HTTPError):  # a worker that died took the answer along
                await work()

    async def _scrapes(self) -> None:
        while True:
            await self._scrape()
            await asyncio.sleep(SCRAPE_SECONDS)

    async def _scrape(self) -> None:
        answer = await self._client.get(f"{self.admin}/metrics")
        self.accounts.read(answer.text)

    async def _request(self) -> None:
        kinds = (self._answer, self._stream, self._hang_up, self._broken, self._late, self._unknown, self._malformed)
        kind = self._random.choice(kinds)
        self.done[kind.__name__.strip("_")] += 1
        await kind()

    async def _trouble(self) -> None:
        await asyncio.sleep(self._random.uniform(0.5, 1.5) * TROUBLE_SECONDS)
        if self.done["kill"] <= self.done["reload"]:
            self.done["kill"] += 1
            for worker in psutil.Process(self.pid).children():
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, signal.SIGKILL)
        else:
            self.done["reload"] += 1
            await self._client.post("/models/echo/unload")
            await self._client.post("/models/echo/load")

    async def _answer(self) -> None:
        await self._post(f"answer {self._random.random()}")

    async def _stream(self) -> None:
        await self._post(f"stream {self._random.random()}", stream=True)

    async def _hang_up(self) -> None:
        body = self._body(f"to be cut off {self._random.random()}", stream=True)
        async with self._client.stream("POST", "/v1/completions", json=body) as answer:
            async for _ in answer.aiter_bytes():
                return

    async def _broken(self) -> None:
        await self._post(f"fault:error@{self._random.randint(0, 9)} in the midst", stream=self._random.random() < 0.5)

    async def _late(self) -> None:
        body = self._body(f"too late {self._random.random()}", stream=False)
        await self._client.post("/v1/completions", json=body, headers={"x-podium-timeout-seconds": "0.03"})

    async def _unknown(self) -> None:
        await self._client.post("/v1/completions", json={"model": f"m{self._random.random()}", "prompt": "x"})

    async def _malformed(self) -> None:
        await self._client.post("/v1/completions", content=b"{")

    async def _post(self, prompt: str, *, stream: bool = False) -> None:
        await self._client.post("/v1/completions", json=self._body(prompt, stream=stream))

    def _body(self, prompt: str, *, stream: bool) -> dict[str, object]:
        return {"model": "echo", "prompt": prompt, "max_tokens": 40, "stream": stream}
