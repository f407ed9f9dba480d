"""Row ``cost``: what a scrape a second costs at full load, in throughput and between tokens."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import uvloop

from benchmarks.loopback import wrk
from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import Answer, post
from benchmarks.loopback.podium_server import MODEL, Podium, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings

ROW = "cost"
SERVER_CORE, LOAD_CORE = 0, 1
ROUNDS, BLOCK_SECONDS = 12, 10
STREAMS = 16
PATH = "/v1/completions"


def measure(around: Surroundings) -> None:
    """Blocks with and without scrapes in turns, each pair beginning with the other one."""
    rounds, seconds = (2, 2) if around.quick else (ROUNDS, BLOCK_SECONDS)
    before = around.quiet()
    rates: dict[bool, list[float]] = {False: [], True: []}
    gaps: dict[bool, list[float]] = {False: [], True: []}
    engine = {"token_interval_seconds": 0.0, "max_batch_sequences": 32}
    with podium_server(Wish(f"{ROW}-full", engine=engine, core=SERVER_CORE), around) as server:
        bodies = [{"model": MODEL, "prompt": f"say {number}", "max_tokens": 8} for number in range(64)]
        target = wrk.Target(server.port, PATH, bodies, "none")
        wrk.run(target, wrk.Load(1, LOAD_CORE, around.work / "warm.lua"))
        for number in range(rounds):
            for scraped in (number % 2 == 0, number % 2 == 1):
                with scrapes(server, on=scraped):
                    found = wrk.run(target, wrk.Load(seconds, LOAD_CORE, around.work / "load.lua"))
                rates[scraped].append(found["requests_per_second"])
    paced = {"token_interval_seconds": 0.01, "max_batch_sequences": STREAMS}
    with podium_server(Wish(f"{ROW}-paced", engine=paced, core=SERVER_CORE), around) as server:
        for number in range(rounds):
            for scraped in (number % 2 == 0, number % 2 == 1):
                with scrapes(server, on=scraped):
                    gaps[scraped].append(uvloop.run(_p99_gap(server.port, seconds)))
    around.record(
        ROW,
        values={
            "rounds": rounds,
            "rate_without": statistics.median(rates[False]),
            "rate_with": statistics.median(rates[True]),
            "lost_ratio": 1 - statistics.median(b / a for a, b in zip(rates[False], rates[True], strict=True)),
            "gap_p99_without_ms": 1000 * statistics.median(gaps[False]),
            "gap_p99_with_ms": 1000 * statistics.median(gaps[True]),
        },
        rates={"without": rates[False], "with": rates[True]},
        gaps_p99_seconds={"without": gaps[False], "with": gaps[True]},
        before=before,
    )


@contextmanager
def scrapes(server: Podium, *, on: bool) -> Iterator[None]:
    """A scrape each second while the block runs, as Prometheus would; ``on`` false: none."""
    over = threading.Event()

    def go_on() -> None:
        with httpx.Client(trust_env=False, timeout=10.0) as client:
            while not over.wait(1.0):
                client.get(f"http://127.0.0.1:{server.admin_port}/metrics")

    scraper = threading.Thread(target=go_on, name="scrapes")
    if on:
        scraper.start()
    try:
        yield
    finally:
        over.set()
        if on:
            scraper.join()


async def _p99_gap(port: int, seconds: float) -> float:
    gaps: list[float] = []
    end = time.monotonic() + seconds
    async with asyncio.TaskGroup() as group:
        for number in range(STREAMS):
            group.create_task(_stream(port, number, end, gaps), name=f"stream {number}")
    return sorted(gaps)[int(0.99 * len(gaps))]


async def _stream(port: int, number: int, end: float, gaps: list[float]) -> None:
    connection = await Connection.open(port)
    count = 0
    while time.monotonic() < end:
        count += 1
        last: list[float] = []

        def note(_: Answer, new: bytes, last: list[float] = last) -> None:
            if not new:
                return
            now = time.perf_counter()
            if last:
                gaps.append(now - last[0])
            last[:] = [now]

        body = {"model": MODEL, "prompt": f"stream {number} {count} " + "x" * 100, "max_tokens": 100, "stream": True}
        await connection.ask(post(port, PATH, body), note)
    connection.close()
