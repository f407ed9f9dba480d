"""Row ``pushes``: how long a change of weights takes until the gateway has confirmed it, under load."""

from __future__ import annotations

import asyncio
import contextlib
import time

import httpx
import uvloop

from benchmarks.gateway.stack import Gateway, gateway, server
from benchmarks.gateway.steady import REQUESTS_PER_SECOND, Steady
from benchmarks.loopback.latencies import histogram, milliseconds
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.server_process import free_port

ROW = "pushes"
PUSHES = 400
PAUSE_SECONDS = 0.02


def measure(around: Surroundings) -> None:
    """One change after the other, over the control route: its answer comes after the confirmation."""
    pushes = 40 if around.quick else PUSHES
    ports = {"blue": free_port(), "green": free_port()}
    with contextlib.ExitStack() as stack:
        for name, port in ports.items():
            stack.enter_context(server(f"{ROW}-{name}", port, around))
        ours = stack.enter_context(gateway(ROW, ports, around))
        before = around.quiet()
        load = Steady(ours.port)
        seconds = uvloop.run(_push(ours, load, pushes))
    figures = milliseconds(seconds)
    values = {"pushes": len(seconds), **figures, "requests": len(load.seconds), "requests_failed": load.failed}
    around.record(
        ROW,
        values=values,
        histogram_microseconds=histogram(seconds),
        before=before,
        parameters={"requests_per_second": REQUESTS_PER_SECOND, "pause_seconds": PAUSE_SECONDS},
    )


async def _push(ours: Gateway, load: Steady, pushes: int) -> list[float]:
    seconds = []
    async with httpx.AsyncClient(timeout=30) as client, asyncio.TaskGroup() as group:
        loading = group.create_task(load.run(3600.0), name="load")
        await asyncio.sleep(0.5)
        for number in range(pushes):
            green = 1 + number % 99
            began = time.perf_counter()
            answer = await client.put(ours.url, json={"weights": {"blue": 100 - green, "green": green}})
            seconds.append(time.perf_counter() - began)
            answer.raise_for_status()
            await asyncio.sleep(PAUSE_SECONDS)
        loading.cancel()
    return seconds
