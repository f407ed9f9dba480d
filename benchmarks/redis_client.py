"""Our calls to Redis beside redis-py's (decision 14): calls in time, calls to a frozen server, calls of a busy process.

Run ``python -m benchmarks.redis_client --out FILE.json``. One event loop, one real Redis, both clients in turn, several
rounds. Both have 50 ms for a call; redis-py gets its three time-outs and no second try, and so it is at its best.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import platform
import statistics
import subprocess
import time
from collections.abc import Awaitable, Callable, Coroutine
from pathlib import Path

import uvloop
from redis.asyncio import Redis as RedisPy
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from benchmarks.access.borrowed import RedisServer, redis_server
from podium.config.redis import Redis as Settings
from podium.store.link import RedisLink, StoreUnavailable

CALL_SECONDS = 0.05
ROUNDS, CALLS, FROZEN_CALLS, BLOCKS = 7, 4000, 20, 20
BLOCKED_SECONDS = 0.08

Get = Callable[[], Coroutine[None, None, object]]
Figures = dict[str, float]


async def in_time(get: Get) -> Figures:
    """A healthy server: calls one after another."""
    found, late = [], 0
    for _ in range(CALLS):
        begin = time.perf_counter()
        late += await _fails(get())
        found.append(time.perf_counter() - begin)
    found.sort()
    middle, high = found[CALLS // 2], found[CALLS * 99 // 100]
    return {"p50_us": round(1e6 * middle, 1), "p99_us": round(1e6 * high, 1), "late": late}


async def to_a_busy_process(get: Get) -> Figures:
    """The answer lies ready while this process computes for longer than a call may take. How many calls fail?"""
    failed = 0
    for _ in range(BLOCKS):
        call = asyncio.get_running_loop().create_task(get(), name="call")
        await asyncio.sleep(0)
        time.sleep(BLOCKED_SECONDS)  # noqa: ASYNC251 - the loop stands still, as when it compiles a grammar
        failed += await _fails(call)
    return {"failed_of_busy": failed, "of_busy": BLOCKS}


async def to_a_frozen_server(get: Get, server: RedisServer) -> Figures:
    """How long calls take to fail."""
    found = []
    server.freeze()
    for _ in range(FROZEN_CALLS):
        begin = time.perf_counter()
        assert await _fails(get())
        found.append(time.perf_counter() - begin)
    server.thaw()
    return {
        "frozen_first_ms": round(1e3 * found[0], 2),
        "frozen_median_ms": round(1e3 * statistics.median(found), 3),
        "frozen_max_ms": round(1e3 * max(found), 2),
    }


async def _fails(call: Awaitable[object]) -> bool:
    try:
        await call
    except (RedisError, StoreUnavailable, OSError, TimeoutError):
        return True
    return False


async def measured(server: RedisServer) -> dict[str, list[Figures]]:
    """Both clients in turn, and the other one first in every second round."""
    rounds: dict[str, list[Figures]] = {"podium": [], "redis-py": []}
    for number in range(ROUNDS):
        for name in sorted(rounds, reverse=bool(number % 2)):
            rounds[name].append(await (_podium(server) if name == "podium" else _redis_py(server)))
        print(f"round {number + 1} of {ROUNDS}: {rounds['podium'][-1]} {rounds['redis-py'][-1]}")
    return rounds


async def _podium(server: RedisServer) -> Figures:
    link = RedisLink(Settings.model_validate({"url": server.url, "call_seconds": CALL_SECONDS}))
    try:
        calls = link.for_purpose("benchmark")
        return await _all(lambda: calls.call("GET", "key"), server)
    finally:
        await link.aclose()


async def _redis_py(server: RedisServer) -> Figures:
    times = {"socket_timeout": CALL_SECONDS, "socket_connect_timeout": CALL_SECONDS}
    client = RedisPy.from_url(server.url, retry=Retry(NoBackoff(), 0), **times)
    try:
        return await _all(lambda: client.get("key"), server)
    finally:
        await client.aclose()


async def _all(get: Get, server: RedisServer) -> Figures:
    await _fails(get())
    figures = await in_time(get) | await to_a_busy_process(get)
    return figures | await to_a_frozen_server(get, server)


def main() -> None:
    """Measure, print medians, keep every round."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where the rounds are kept, as JSON")
    out: Path | None = parser.parse_args().out
    with redis_server() as server, server.client() as client:
        client.set("key", "x" * 200)
        rounds = uvloop.run(measured(server))
    medians = {
        name: {figure: statistics.median(one[figure] for one in found) for figure in found[0]}
        for name, found in rounds.items()
    }
    print(json.dumps(medians, indent=1))
    if out is not None:
        commit = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout.strip()  # noqa: S607
        about = {"commit": commit, "machine": platform.platform(), "date": time.strftime("%F")}
        out.write_text(json.dumps({**about, "medians": medians, "rounds": rounds}, indent=1) + "\n")


if __name__ == "__main__":
    main()
