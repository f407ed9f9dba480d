"""Several replicas and one Redis: what is cleared is gone everywhere, and what is kept is nobody's to read."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import uvloop

from podium.cache.claims import RedisClaims
from podium.cache.entry import encode
from podium.cache.redis_survey import entry_name
from podium.cache.response_cache import ResponseCache
from podium.cache.sealed import seal
from podium.config.cache import Cache
from podium.core.generation import CacheControl
from support.answers import answer, key_for, request, retry_key
from support.cache_stores import Opened, open_redis
from support.redis import RedisServer, redis_server

SEEN_SECONDS = 1.0


@pytest.fixture(scope="module")
def running() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture
def server(running: RedisServer) -> RedisServer:
    with running.client() as client:
        client.flushall()
    return running


async def keep(opened: Opened, text: str, *, tenant: str = "acme") -> None:
    key = key_for(text, tenant=tenant)
    opened.store.put(key, answer(key), ttl_seconds=60.0)
    await opened.written()


_WATCH = """
import sys, time, uvloop
from support.answers import key_for
from support.cache_stores import open_redis

async def main():
    async with open_redis(sys.argv[1])() as opened:
        while await opened.store.get(key_for("a")) is None:
            pass
        print("found", flush=True)
        while await opened.store.get(key_for("a")) is not None:
            pass
        print(time.time(), flush=True)

uvloop.run(main())
"""

_HOLD = """
import sys, asyncio, uvloop
from support.answers import retry_key
from support.cache_stores import open_redis
from podium.cache.claims import RedisClaims
from podium.cache.entry import encode
from podium.cache.redis_survey import entry_name
from podium.cache.response_cache import ResponseCache
from podium.cache.sealed import seal
from podium.config.cache import Cache

async def main():
    async with open_redis(sys.argv[1])() as opened:
        async with RedisClaims(opened.calls, opened.writer, lease_seconds=1.0) as claims:
            print(await claims.claim(retry_key("k")), flush=True)
            await asyncio.Event().wait()

uvloop.run(main())
"""


def other_process(program: str, url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", program, url], env=environment, stdout=subprocess.PIPE, text=True)


def test_a_clear_is_seen_by_another_process_within_a_second(server: RedisServer) -> None:
    async def clear() -> float:
        async with open_redis(server.url)() as opened:
            started = time.time()
            assert await opened.store.clear(tenant="acme") == 1
            return started

    async def prepare() -> None:
        async with open_redis(server.url)() as opened:
            await keep(opened, "a")

    with other_process(_WATCH, server.url) as watcher:
        assert watcher.stdout is not None
        uvloop.run(prepare())
        assert watcher.stdout.readline() == "found\n"
        started = uvloop.run(clear())
        assert 0 <= float(watcher.stdout.readline()) - started < SEEN_SECONDS


def test_what_was_cleared_is_gone_although_its_value_is_still_there(
    server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A walk that ends before it reaches an answer leaves the value; the mark alone makes it a miss."""

    async def main() -> None:
        async with open_redis(server.url)() as one, open_redis(server.url)() as other:
            await keep(one, "a")
            await keep(one, "b", tenant="other")
            assert await one.store.clear(tenant="acme") == 0
            with server.client() as client:
                assert len(client.keys("*:entry:*")) == 2
            assert await other.store.get(key_for("a")) is None
            assert await other.store.get(key_for("b", tenant="other")) is not None

    monkeypatch.setattr("podium.cache.redis_survey.SCAN_SECONDS", -1.0)
    uvloop.run(main())


@pytest.mark.parametrize("lost", ["all marks", "nothing"])
def test_an_old_value_that_comes_back_is_not_found(server: RedisServer, lost: str) -> None:
    """Restored from a backup or late from a queue; also when the store has lost its marks, and made new ones."""

    async def main() -> None:
        async with open_redis(server.url)() as opened:
            await keep(opened, "a")
            with server.client() as client:
                (name,) = client.keys("*:entry:*")
                old = client.get(name)
                await opened.store.clear(model="demo")
                if lost == "all marks":
                    client.delete("podium:cache:generations")
                client.set(name, old)
                assert await opened.store.get(key_for("a")) is None
                await keep(opened, "b")
                assert await opened.store.get(key_for("b")) is not None
                assert await opened.store.get(key_for("a")) is None

    uvloop.run(main())


def test_without_marks_in_the_store_nothing_is_found(server: RedisServer) -> None:
    async def main() -> None:
        async with open_redis(server.url)() as opened:
            key = key_for("a")
            with server.client() as client:
                client.set(entry_name("podium", key), seal(key, key.model, encode(answer(key)), b""))
            assert await opened.store.get(key) is None
            assert opened.store.counts.garbage == 0

    uvloop.run(main())


def test_nothing_of_prompt_answer_tenant_or_idempotency_key_can_be_read_in_redis(server: RedisServer) -> None:
    async def main() -> None:
        async with open_redis(server.url)() as opened:
            key = key_for("PLANTED prompt", tenant="PLANTED tenant")
            retry = retry_key("PLANTED name", tenant="PLANTED tenant")
            for one in (key, retry):
                opened.store.put(one, answer(one, "PLANTED answer, PLANTED prompt"), ttl_seconds=60.0)
            await opened.claims.claim(retry)
            await opened.store.clear(tenant="nobody PLANTED")
            await opened.written()
            assert await opened.store.get(key) is not None

    def everything() -> Iterator[bytes]:
        with server.client() as client:
            for name in client.keys("*"):
                yield name
                yield client.dump(name)

    uvloop.run(main())
    stored = list(everything())
    assert len(stored) == 2 * 4
    assert [part for part in stored if b"PLANTED" in part.upper() or b"504c414e544544" in part] == []


def test_the_permissions_of_the_hardening_rules_suffice(server: RedisServer) -> None:
    rules = ("+@read", "+@write", "+@connection", "+@transaction", "-@dangerous", "-@scripting", "+fcall")
    with server.client() as client:
        client.execute_command("ACL", "SETUSER", "app", "on", ">secret", "~podium:*", *rules)
        client.set("foreign", "x")

    async def main() -> None:
        async with open_redis(f"redis://app:secret@127.0.0.1:{server.port}/0")() as opened:
            await keep(opened, "a")
            assert await opened.store.get(key_for("a")) is not None
            assert (await opened.store.use())["demo"].keys == 1
            assert await opened.claims.claim(retry_key("k"))
            assert isinstance(opened.claims, RedisClaims)
            await opened.claims.renew()
            opened.claims.release(retry_key("k"))
            await opened.written()
            assert await opened.claims.claim(retry_key("k"))
            assert await opened.store.clear(model="demo") == 1
            assert await opened.store.get(key_for("a")) is None
            with server.client() as client:
                for name in client.keys("podium:*"):
                    client.set(name, "garbage")
            await keep(opened, "a")
            await opened.store.get(key_for("a"))
            await opened.written()
            await keep(opened, "a")
            assert await opened.store.get(key_for("a")) is not None

    try:
        uvloop.run(main())
    finally:
        with server.client() as client:
            assert client.get("foreign") == b"x"
            assert client.acl_log() == []
            client.execute_command("ACL", "DELUSER", "app")


def test_the_claim_of_a_process_that_was_killed_ends_with_its_lease(server: RedisServer) -> None:
    async def main(holder: subprocess.Popen[str]) -> None:
        async with open_redis(server.url)() as opened:
            key = retry_key("k")
            held_until = time.monotonic() + 2.5  # more than twice the lease: it was renewed
            while time.monotonic() < held_until:
                assert not await opened.claims.claim(key)
                await asyncio.sleep(0.05)
            holder.kill()
            killed = time.monotonic()
            while not await opened.claims.claim(key):
                assert time.monotonic() < killed + 3.0
                await asyncio.sleep(0.02)

    with other_process(_HOLD, server.url) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        uvloop.run(main(holder))


def test_a_claim_that_ended_is_not_taken_from_whoever_has_it_now(server: RedisServer) -> None:
    class Clock:
        now = 0.0

        def __call__(self) -> float:
            return self.now

    async def main() -> None:
        clock = Clock()
        key = retry_key("k")
        async with open_redis(server.url)() as opened, open_redis(server.url)() as other:
            assert opened.calls is not None
            late = RedisClaims(opened.calls, opened.writer, lease_seconds=30.0, clock=clock)
            assert await late.claim(key)
            with server.client() as client:
                client.delete(*client.keys("*:claim:*"))  # its time was over
            assert await other.claims.claim(key)
            clock.now = 30.0
            await late.renew()
            late.release(key)
            await opened.written()
            assert not await late.claim(key)

    uvloop.run(main())


def test_a_claim_that_the_store_lost_is_forgotten_by_the_renewal(server: RedisServer) -> None:
    async def main() -> None:
        key = retry_key("k")
        async with open_redis(server.url)() as opened, open_redis(server.url)() as other:
            assert isinstance(opened.claims, RedisClaims)
            assert await opened.claims.claim(key)
            with server.client() as client:
                client.flushall()
            await opened.claims.renew()
            assert await other.claims.claim(key)
            opened.claims.release(key)
            await opened.written()
            assert not await other.claims.claim(key)

    uvloop.run(main())


def test_whoever_finds_the_claim_given_up_finds_the_answer(server: RedisServer) -> None:
    """The claim goes after the write: no replica sees neither."""

    async def main() -> None:
        async with open_redis(server.url)() as one, open_redis(server.url)() as other:
            for number in range(50):
                key = retry_key(str(number))
                assert await one.claims.claim(key)
                for filler in range(40):  # more than one batch
                    more = key_for(f"{number}.{filler}")
                    one.store.put(more, answer(more), ttl_seconds=60.0)
                one.store.put(key, answer(key), ttl_seconds=60.0)
                one.claims.release(key)
                while not await other.claims.claim(key):
                    pass
                assert await other.store.get(key) is not None

    uvloop.run(main())


def test_two_installations_under_two_prefixes_share_nothing(server: RedisServer) -> None:
    async def main() -> None:
        async with (
            open_redis(server.url, prefix="a*")() as star,
            open_redis(server.url, prefix="ab")() as other,
        ):
            await keep(star, "a")
            assert await other.store.get(key_for("a")) is None
            await keep(other, "a")
            assert await star.store.clear() == 1
            assert await other.store.get(key_for("a")) is not None
            assert await star.store.use() == {}

    uvloop.run(main())


def test_a_hit_of_another_replica_honours_the_readers_own_wishes(server: RedisServer) -> None:
    async def main() -> None:
        async with open_redis(server.url)() as writer, open_redis(server.url)() as reader:
            await keep(writer, "a")
            cache = ResponseCache(reader.store, reader.claims, Cache(), clock=lambda: 1100.0)
            assert await cache.lookup(request("a", cache=CacheControl(max_age_seconds=99)), key_for("a")) is None
            assert await cache.lookup(request("a"), key_for("a")) is not None
            assert (cache.entries, cache.memory_bytes) == (None, None)

    uvloop.run(main())
