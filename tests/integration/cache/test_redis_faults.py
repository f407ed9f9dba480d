"""Redis frozen, killed, full, or holding nonsense: requests go on, without an answer from it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest
import uvloop

from podium.cache.key import CacheKey
from podium.cache.redis_entries import MOST_WAITING
from podium.core.errors import Unavailable
from support.answers import answer, key_for, retry_key
from support.cache_stores import Opened, open_redis
from support.quiet_logs import captured_logs
from support.redis import RedisServer, redis_server

KEYS = [key_for(str(number), tenant=tenant) for number in range(10) for tenant in ("acme", "other")]
RETRIES = [retry_key(str(number)) for number in range(5)]
RECOVERY_SECONDS = 5.0


async def keep(opened: Opened, *keys: CacheKey) -> None:
    for key in keys:
        opened.store.put(key, answer(key, key.digest.hex()), ttl_seconds=60.0)
    await opened.written()


async def right_or_nothing(opened: Opened, keys: list[CacheKey]) -> int:
    """How many are found; each that is found is the key's own."""
    found = [(key, await opened.store.get(key)) for key in keys]
    assert all(entry is None or entry.chunks[-1].text == key.digest.hex() for key, entry in found)
    return sum(entry is not None for _, entry in found)


async def eventually(opened: Opened, key: CacheKey) -> None:
    """``key`` can be kept and found again, in time."""
    end = time.monotonic() + RECOVERY_SECONDS
    while await opened.store.get(key) is None:
        assert time.monotonic() < end, "not in use again"
        await keep(opened, key)
        await asyncio.sleep(0.02)


def test_a_frozen_redis_costs_little_and_is_in_use_again_when_it_thaws() -> None:
    async def main(server: RedisServer) -> None:
        async with open_redis(server.url, call_seconds=0.02)() as opened:
            await eventually(opened, KEYS[0])
            server.freeze()
            waits = []
            for _ in range(200):
                started = time.monotonic()
                assert await opened.store.get(KEYS[0]) is None
                assert await opened.claims.claim(RETRIES[0])
                opened.claims.release(RETRIES[0])
                opened.store.put(KEYS[0], answer(KEYS[0]), ttl_seconds=60.0)
                waits.append(time.monotonic() - started)
            assert max(waits) < 0.2
            assert sorted(waits)[len(waits) * 9 // 10] < 0.01
            assert opened.store.counts.unanswered >= 100
            server.thaw()
            await eventually(opened, KEYS[1])

    with captured_logs(), redis_server() as server:
        uvloop.run(main(server))


def test_a_killed_redis_is_a_miss_and_one_that_comes_back_empty_is_used() -> None:
    async def main(server: RedisServer) -> None:
        async with open_redis(server.url)() as opened:
            await keep(opened, *KEYS)
            server.kill()
            assert await right_or_nothing(opened, KEYS) == 0
            assert await opened.store.use() == {}
            with pytest.raises(Unavailable):
                await opened.store.clear()
            assert await opened.claims.claim(RETRIES[0])
            with redis_server(port=server.port):
                await eventually(opened, KEYS[0])

    with captured_logs(), redis_server() as server:
        uvloop.run(main(server))


def test_a_full_redis_keeps_nothing_new_and_gives_what_it_has() -> None:
    async def main(server: RedisServer) -> None:
        async with open_redis(server.url)() as opened:
            await keep(opened, *KEYS)
            with server.client() as client:
                client.config_set("maxmemory", 1)
            await keep(opened, *(key_for(f"new {number}") for number in range(100)))
            assert opened.store.counts.dropped == 100
            assert await right_or_nothing(opened, KEYS) == len(KEYS)
            assert await opened.claims.claim(RETRIES[0])
            assert await opened.store.get(key_for("new 1")) is None
            with server.client() as client:
                client.config_set("maxmemory", 0)
            await keep(opened, key_for("new 1"))
            assert await opened.store.get(key_for("new 1")) is not None

    with redis_server("--maxmemory-policy", "noeviction") as server:
        uvloop.run(main(server))


def test_puts_while_redis_is_frozen_are_bounded_dropped_and_counted() -> None:
    async def main(server: RedisServer) -> None:
        async with open_redis(server.url)() as opened:
            await keep(opened, KEYS[0])
            server.freeze()
            for number in range(2 * MOST_WAITING):
                key = key_for(str(number))
                opened.store.put(key, answer(key), ttl_seconds=60.0)
            assert opened.store.counts.dropped == MOST_WAITING
            server.thaw()
            await opened.written()
            assert await opened.store.get(key_for(str(MOST_WAITING - 1))) is not None

    with redis_server() as server:
        uvloop.run(main(server))


def _random_bytes(client: Any, name: bytes) -> None:
    client.set(name, b"\xff\x00garbage" * 20)


def _empty(client: Any, name: bytes) -> None:
    client.set(name, b"")


def _truncated(client: Any, name: bytes) -> None:
    if client.type(name) == b"string":
        client.set(name, client.getrange(name, 0, client.strlen(name) // 2))


def _turned_bit(client: Any, name: bytes) -> None:
    if client.type(name) == b"string":
        value = bytearray(client.get(name) or b"x")
        value[len(value) // 2] ^= 1
        client.set(name, bytes(value))


def _too_long(client: Any, name: bytes) -> None:
    client.setrange(name, 5_000_000, b"x") if client.type(name) == b"string" else client.set(name, b"x" * 5_000_000)


def _a_list(client: Any, name: bytes) -> None:
    client.delete(name)
    client.rpush(name, "a")


def _a_hash(client: Any, name: bytes) -> None:
    client.delete(name)
    client.hset(name, "all", "x" * 100_000)


@pytest.mark.parametrize(
    "spoil", [_random_bytes, _empty, _truncated, _turned_bit, _too_long, _a_list, _a_hash], ids=lambda f: f.__name__
)
def test_nonsense_in_every_key_is_never_an_answer_and_does_not_last(spoil: Callable[[Any, bytes], None]) -> None:
    async def main(server: RedisServer) -> None:
        async with open_redis(server.url)() as opened:
            await keep(opened, *KEYS, *RETRIES)
            assert await opened.claims.claim(retry_key("claimed"))
            with server.client() as client:
                for name in client.keys("*"):
                    spoil(client, name)
            assert await right_or_nothing(opened, KEYS + RETRIES) == 0
            assert opened.store.counts.garbage + opened.store.counts.unanswered >= (spoil is not _empty)
            await opened.store.use()
            await opened.written()
            await right_or_nothing(opened, KEYS)
            await opened.written()
            for _ in range(2):  # the first may only find that the marks are nonsense
                await keep(opened, *KEYS, *RETRIES)
            assert await right_or_nothing(opened, KEYS + RETRIES) == len(KEYS + RETRIES)

    with captured_logs(), redis_server() as server:
        uvloop.run(main(server))


def test_swapped_values_are_a_miss_are_counted_and_are_deleted() -> None:
    async def main(server: RedisServer) -> None:
        async with open_redis(server.url)() as opened:
            await keep(opened, *KEYS)
            with server.client() as client:
                names = sorted(client.keys("*:entry:*"))
                values = client.mget(names)
                client.mset(dict(zip(names, values[1:] + values[:1], strict=True)))
                assert await right_or_nothing(opened, KEYS) == 0
                assert opened.store.counts.garbage == len(KEYS)
                await opened.written()
                assert client.keys("*:entry:*") == []

    with redis_server() as server:
        uvloop.run(main(server))
