"""``/livez`` asked at fixed times from a process of its own, as a kubelet does."""

from __future__ import annotations

import asyncio
import time

import uvloop

from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import get

PROBES_A_SECOND, PROBERS = 100, 10


def probe(port: int, seconds: float) -> list[float]:
    """Latencies in seconds, each from when the probe was due, so that a late one delays its next."""
    return uvloop.run(_probe_all(port, seconds))


async def _probe_all(port: int, seconds: float) -> list[float]:
    latencies: list[float] = []
    end = time.perf_counter() + seconds
    async with asyncio.TaskGroup() as group:
        for prober in range(PROBERS):
            group.create_task(_probe(port, prober, end, latencies), name=f"probe {prober}")
    return latencies


async def _probe(port: int, prober: int, end: float, latencies: list[float]) -> None:
    connection, due = await Connection.open(port), time.perf_counter() + prober / PROBES_A_SECOND
    while due < end:
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        answer = await connection.ask(get(port, "/livez"))
        if answer.status != 200:
            raise RuntimeError(f"/livez: {answer.status} {answer.body[:200]!r}")
        latencies.append(time.perf_counter() - due)
        due += PROBERS / PROBES_A_SECOND
