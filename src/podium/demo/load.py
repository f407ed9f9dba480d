"""A client that sends requests at a steady rate, whatever becomes of them, and counts what a client sees."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from dataclasses import dataclass, field

import httpx

_TIMEOUT_SECONDS = 30.0
_KEPT_LATENCIES = 500
_MOST_CONNECTIONS = 500


@dataclass
class ClientCounts:
    """Requests that were sent, were answered as they should be, and were not. ``newest_seconds``: of good answers."""

    sent: int = 0
    ok: int = 0
    failed: int = 0
    newest_seconds: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_LATENCIES))

    def quantile_seconds(self, part: float) -> float | None:
        """The latency below which ``part`` (0 to 1) of the newest good answers are; None before the first."""
        ordered = sorted(self.newest_seconds)
        return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else None


class Load:
    """Completions for ``model`` at ``url``, ``rate`` a second; each is sent when it is due, however slow others are."""

    def __init__(self, url: str, model: str, rate: float) -> None:
        self._url = url
        self._model = model
        self._rate = rate
        self._ending = asyncio.Event()
        self.counts = ClientCounts()

    def end(self) -> None:
        """Send no more. ``run`` returns when those on their way have ended."""
        self._ending.set()

    async def run(self) -> None:
        """Send until ``end``. Cancelled, requests on their way are dropped and counted nowhere."""
        limits = httpx.Limits(max_connections=_MOST_CONNECTIONS)
        async with (
            httpx.AsyncClient(trust_env=False, timeout=_TIMEOUT_SECONDS, limits=limits) as client,
            asyncio.TaskGroup() as group,
        ):
            began = time.monotonic()
            while not self._ending.is_set():
                group.create_task(self._send(client, self.counts.sent), name="request of the load")
                self.counts.sent += 1
                await self._pause(began + self.counts.sent / self._rate - time.monotonic())

    async def _pause(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._ending.wait(), max(0.0, seconds))
        except TimeoutError:
            return

    async def _send(self, client: httpx.AsyncClient, number: int) -> None:
        body = {"model": self._model, "prompt": f"request {number}", "max_tokens": 8}
        began = time.monotonic()
        try:
            answer = await client.post(f"{self._url}/v1/completions", json=body)
            good = answer.is_success and bool(answer.json()["choices"][0]["finish_reason"])
        except (httpx.HTTPError, ValueError, LookupError):
            good = False
        if good:
            self.counts.ok += 1
            self.counts.newest_seconds.append(time.monotonic() - began)
        else:
            self.counts.failed += 1
