"""The link to a real Redis that is frozen, killed, full, or does not let us in."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import uvloop
from structlog.testing import capture_logs

from podium.config.redis import Redis
from podium.store.link import RedisLink, StoreCalls, StoreRefused, StoreUnavailable
from support.ports import free_port
from support.redis import RedisServer, redis_server

FIRST_CALLS_SECONDS = 0.05
AT_ONCE_SECONDS = 0.005
RECOVERY_SECONDS = 5.0
TRIES = 3  # a busy machine may be late once; a limit that does not hold is late each time


@asynccontextmanager
async def _link(url: str, **settings: object) -> AsyncIterator[RedisLink]:
    link = RedisLink(Redis.model_validate({"url": url, **settings}))
    try:
        yield link
    finally:
        await link.aclose()


async def _seconds_to_fail(calls: StoreCalls) -> float:
    begin = time.monotonic()
    with pytest.raises(StoreUnavailable):
        await calls.call("GET", "key")
    return time.monotonic() - begin


async def _seconds_until_used_again(calls: StoreCalls, expected: bytes | None) -> float:
    begin = time.monotonic()
    while time.monotonic() - begin < 2 * RECOVERY_SECONDS:
        try:
            assert await calls.call("GET", "key") == expected
        except StoreUnavailable:
            await asyncio.sleep(0.01)  # a request every 10 ms
        else:
            return time.monotonic() - begin
    raise AssertionError("it was never used again")


def _state(calls: StoreCalls) -> str:
    return calls.state


async def _set(calls: StoreCalls) -> None:
    await calls.call("SET", "key", "value", seconds=5)


def _in_one_of_three(scenario: Callable[[], Awaitable[list[float]]], bounds: list[float]) -> None:
    seen = []
    for _ in range(TRIES):
        seen.append(uvloop.run(_run(scenario)))
        if all(took <= bound for took, bound in zip(seen[-1], bounds, strict=True)):
            return
    raise AssertionError(f"seconds {seen}, allowed {bounds}")


async def _run(scenario: Callable[[], Awaitable[list[float]]]) -> list[float]:
    return await scenario()


def test_a_frozen_server_costs_three_calls_50_ms_and_later_ones_nothing_and_is_used_again_in_5_seconds() -> None:
    async def scenario() -> list[float]:
        with redis_server() as server:
            async with _link(server.url) as link:
                calls = link.for_purpose("test")
                await _set(calls)
                server.freeze()
                first = [await _seconds_to_fail(calls) for _ in range(3)]
                later = sorted([await _seconds_to_fail(calls) for _ in range(1000)])
                assert _state(calls) == "open"
                await asyncio.sleep(1.5)  # long enough for a probe in vain
                assert _state(calls) == "open"
                server.thaw()
                back = await _seconds_until_used_again(calls, b"value")
                assert _state(calls) == "closed"
                return [max(first), later[990], back]

    _in_one_of_three(scenario, [FIRST_CALLS_SECONDS, AT_ONCE_SECONDS, RECOVERY_SECONDS])


def test_a_frozen_server_costs_many_calls_at_once_50_ms_each() -> None:
    async def scenario() -> list[float]:
        with redis_server() as server:
            async with _link(server.url, max_connections=8) as link:
                calls = link.for_purpose("test")
                await _set(calls)
                server.freeze()
                took = await asyncio.gather(*(_seconds_to_fail(calls) for _ in range(100)))
                assert _state(calls) == "open"
                return [max(took)]

    _in_one_of_three(scenario, [FIRST_CALLS_SECONDS])


def test_a_killed_server_costs_nothing_and_its_successor_is_used_within_5_seconds() -> None:
    async def scenario() -> list[float]:
        port = free_port()
        with redis_server(port=port) as server:
            async with _link(server.url) as link:
                calls = link.for_purpose("test")
                await _set(calls)
                server.kill()
                first = [await _seconds_to_fail(calls) for _ in range(3)]
                assert _state(calls) == "open"
                with redis_server(port=port):
                    back = await _seconds_until_used_again(calls, None)
                return [max(first), back]

    _in_one_of_three(scenario, [FIRST_CALLS_SECONDS, RECOVERY_SECONDS])


def test_each_purpose_has_a_breaker_of_its_own() -> None:
    async def main(server: RedisServer) -> None:
        async with _link(server.url) as link:
            quotas, cache = link.for_purpose("quotas"), link.for_purpose("cache")
            await _set(cache)
            server.freeze()
            for _ in range(3):
                await _seconds_to_fail(quotas)
            assert (quotas.state, cache.state) == ("open", "closed")
            assert (quotas.failures, cache.failures) == (3, 0)

    with redis_server() as server:
        uvloop.run(main(server))


def test_a_server_without_memory_refuses_writes_and_goes_on_being_read() -> None:
    async def main(server: RedisServer) -> None:
        async with _link(server.url) as link:
            calls = link.for_purpose("test")
            await _set(calls)
            with capture_logs() as logs:
                for _ in range(2):
                    with pytest.raises(StoreRefused, match="OOM"):
                        await _fill(calls)
            assert [record["reason"] for record in logs] == ["OOM"]  # said once
            assert await calls.call("GET", "key") == b"value"
            assert (calls.state, calls.failures) == ("closed", 0)

    with redis_server("--maxmemory", "3mb", "--maxmemory-policy", "noeviction") as server:
        uvloop.run(main(server))


async def _fill(calls: StoreCalls) -> None:
    for number in range(1000):
        await calls.call("SET", f"big:{number}", b"x" * 10_000, seconds=5)


def test_the_rights_that_the_manual_asks_for_suffice_and_what_they_forbid_is_a_refusal() -> None:
    async def main(server: RedisServer) -> None:
        async with _link(f"redis://app:secret@127.0.0.1:{server.port}/0") as link:
            calls = link.for_purpose("test")
            assert await calls.calls([("SET", "podium:a", "1"), ("INCR", "podium:a")], transaction=True) == [b"OK", 2]
            for command in [("GET", "other"), ("FLUSHALL",), ("EVAL", "return 1", 0), ("KEYS", "*")]:
                with pytest.raises(StoreRefused, match="NOPERM"):
                    await calls.call(*command, seconds=5)
            assert (calls.state, calls.failures) == ("closed", 0)

    rights = ["~podium:*", "+@read", "+@write", "+@connection", "+@transaction", "-@dangerous", "-@scripting", "+fcall"]
    with redis_server() as server:
        with server.client() as client:
            client.execute_command("ACL", "SETUSER", "app", "on", ">secret", *rights)
        uvloop.run(main(server))


def test_a_wrong_password_is_a_store_that_is_away_and_the_log_says_why() -> None:
    async def main(server: RedisServer) -> None:
        async with _link(f"redis://default:wrong@127.0.0.1:{server.port}/0") as link:
            calls = link.for_purpose("test")
            with capture_logs() as logs:
                for _ in range(3):
                    await _seconds_to_fail(calls)
            assert [(record["event"], record["reason"]) for record in logs] == [("store not in use", "WRONGPASS")]
            assert _state(calls) == "open"

    with redis_server() as server:
        with server.client() as client:
            client.config_set("requirepass", "right")
        uvloop.run(main(server))
