"""Row ``frozen``: how soon a frozen engine is told, and whether a saturated healthy one ever is."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import time
from dataclasses import dataclass

import httpx
import psutil

from benchmarks.loopback.podium_server import MODEL, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings
from podium.config.monitor import Monitor
from podium.monitor.monitor import INTERVAL_SECONDS
from podium.telemetry import table
from podium.testing.accounts import Accounts

ROW = "frozen"
TIMES = 10
BUSY_SECONDS = 600.0
STALLED_SECONDS, ROUND_SECONDS = Monitor().stalled_seconds, INTERVAL_SECONDS
"""The alert fires in the monitor's first round after the page says so: at most a round later."""
POLL_SECONDS = 0.05
CALLERS = 24


@dataclass
class Sight:
    """When each of the signs was first seen, in seconds after the last token; None: never."""

    flagged: float | None = None
    unready: float | None = None

    @property
    def complete(self) -> bool:
        """Whether both were seen."""
        return self.flagged is not None and self.unready is not None


def measure(around: Surroundings) -> None:
    """Both ways to stand still (a step that never returns, a stopped process), then a full queue for ten minutes."""
    times, busy = (1, 10.0) if around.quick else (TIMES, BUSY_SECONDS)
    before = around.quiet()
    sights = {way: [asyncio.run(_freeze(way, around)) for _ in range(times)] for way in ("hang", "stop")}
    flags, looks, done = asyncio.run(_saturate(busy, around))
    around.record(
        ROW,
        values={"times": times, "busy_seconds": busy, "busy_flags": flags, "busy_looks": looks, "busy_requests": done},
        flagged_seconds={way: [sight.flagged for sight in found] for way, found in sights.items()},
        unready_seconds={way: [sight.unready for sight in found] for way, found in sights.items()},
        before=before,
    )


async def _freeze(way: str, around: Surroundings) -> Sight:
    engine = {"faults": True, "token_interval_seconds": 0.02}
    with podium_server(Wish(f"{ROW}-{way}", engine=engine), around) as server:
        base, admin = f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{server.admin_port}"
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client, asyncio.TaskGroup() as group:
            prompt = "fault:hang@5 " if way == "hang" else "a long answer "
            body = {"model": MODEL, "prompt": prompt * 40, "max_tokens": 400, "stream": True}
            heard = [time.monotonic()]
            asking = group.create_task(_listen(client, base, body, heard), name="request")
            await asyncio.sleep(0.5)
            if way == "stop":
                for worker in psutil.Process(server.process.pid).children():
                    os.kill(worker.pid, signal.SIGSTOP)
                await asyncio.sleep(0.1)
            sight = await _watch(client, admin, heard[-1])
            asking.cancel()
    return sight


async def _watch(client: httpx.AsyncClient, admin: str, began: float) -> Sight:
    sight = Sight()
    while not sight.complete and time.monotonic() - began < 30.0:
        if sight.flagged is None and await _is_flagged(client, admin):
            sight.flagged = time.monotonic() - began + ROUND_SECONDS
        if sight.unready is None and (await client.get(f"{admin}/readyz")).status_code != httpx.codes.OK:
            sight.unready = time.monotonic() - began
        await asyncio.sleep(POLL_SECONDS)
    return sight


async def _is_flagged(client: httpx.AsyncClient, admin: str) -> bool:
    accounts = Accounts()
    accounts.read((await client.get(f"{admin}/metrics")).text)
    return time.time() - accounts.last[table.LAST_PROGRESS.name] > STALLED_SECONDS


async def _saturate(seconds: float, around: Surroundings) -> tuple[int, int, int]:
    """Flags, looks and requests of a server whose queue is always full."""
    flags = looks = 0
    engine = {"token_interval_seconds": 0.002, "max_batch_sequences": 4}
    with podium_server(Wish(f"{ROW}-busy", engine=engine), around) as server:
        base, admin = f"http://127.0.0.1:{server.port}", f"http://127.0.0.1:{server.admin_port}"
        async with httpx.AsyncClient(trust_env=False, timeout=60.0) as client, asyncio.TaskGroup() as group:
            counts = [0]
            callers = [group.create_task(_ask_on(client, base, counts), name="caller") for _ in range(CALLERS)]
            end = time.monotonic() + seconds
            while time.monotonic() < end:
                looks += 1
                ready = (await client.get(f"{admin}/readyz")).status_code == httpx.codes.OK
                flags += await _is_flagged(client, admin) or not ready
                await asyncio.sleep(0.2)
            for caller in callers:
                caller.cancel()
    return flags, looks, counts[0]


async def _listen(client: httpx.AsyncClient, base: str, body: dict[str, object], heard: list[float]) -> None:
    """When each piece of a stream came; the last one is the last sign of life of its engine."""
    with contextlib.suppress(httpx.HTTPError):
        async with client.stream("POST", f"{base}/v1/completions", json=body) as answer:
            async for _ in answer.aiter_bytes():
                heard.append(time.monotonic())  # noqa: PERF401 - others look while it goes on


async def _ask(client: httpx.AsyncClient, base: str, body: dict[str, object]) -> None:
    with contextlib.suppress(httpx.HTTPError):
        await client.post(f"{base}/v1/completions", json=body)


async def _ask_on(client: httpx.AsyncClient, base: str, counts: list[int]) -> None:
    while True:
        await _ask(client, base, {"model": MODEL, "prompt": f"number {counts[0]}", "max_tokens": 50})
        counts[0] += 1
