"""Calls that are given up, on connections that others use next."""

from __future__ import annotations

import asyncio
import contextlib
import random

import uvloop

from podium.config.redis import Redis
from podium.store.link import RedisLink, StoreCalls
from support.redis import RedisServer, redis_server

CANCELLED_CALLS = 10_000
WORKERS = 20
KEYS = 1000
MOST_DELAY_SECONDS = 0.002
SEED = 9


def test_ten_thousand_cancelled_calls_never_leave_an_answer_for_another_call() -> None:
    """Each value names its key, and every answer that comes is compared."""

    async def main(server: RedisServer) -> None:
        async with contextlib.aclosing(_link(server)) as link:
            await _cancel_and_compare(link.for_purpose("test"))

    with redis_server() as server:
        uvloop.run(main(server))


def _link(server: RedisServer) -> RedisLink:
    return RedisLink(Redis(url=server.url, max_connections=8, call_seconds=5, connect_seconds=5))


async def _cancel_and_compare(calls: StoreCalls) -> None:
    for number in range(KEYS):
        await calls.call("SET", f"key:{number}", _value(number))
    async with asyncio.TaskGroup() as group:
        workers = [group.create_task(_work(calls, random.Random(SEED + n))) for n in range(WORKERS)]  # noqa: S311 - a seeded test
    cancelled = sum(worker.result()[0] for worker in workers)
    checked = sum(worker.result()[1] for worker in workers)
    assert cancelled >= CANCELLED_CALLS
    assert checked >= CANCELLED_CALLS
    assert (calls.state, calls.failures) == ("closed", 0)


async def _work(calls: StoreCalls, chance: random.Random) -> tuple[int, int]:
    """How many calls were cancelled before their answer came, and how many answers were compared."""
    cancelled = checked = 0
    while cancelled < CANCELLED_CALLS // WORKERS or checked < CANCELLED_CALLS // WORKERS:
        number = chance.randrange(KEYS)
        task = asyncio.get_running_loop().create_task(calls.call("GET", f"key:{number}"))
        if chance.random() < 0.6:
            asyncio.get_running_loop().call_later(chance.random() * MOST_DELAY_SECONDS, task.cancel)
        await asyncio.wait([task])
        if task.cancelled():
            cancelled += 1
        else:
            assert task.result() == _value(number)
            checked += 1
    return cancelled, checked


def _value(number: int) -> bytes:
    return b"value of %d;" % number * (1 + number % 50)
