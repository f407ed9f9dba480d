"""The shared ledger while Redis is frozen, killed, full, forgetful, foreign or lying: it always decides, in time.

Nothing but ``RateLimited`` comes out of a reservation, whatever the store does; what was admitted meanwhile is
counted when the store is back.
"""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
import uvloop
from structlog.testing import LogCapture

from podium.access import redis_ledger_outbox
from podium.access.leases import Lease
from podium.access.overrides import QuotaOverrides
from podium.access.quotas import QuotaKeeper
from podium.access.redis_ledger import RedisLedger
from podium.access.redis_ledger_outbox import FAREWELL_SECONDS
from podium.config.access import Access, QuotaLimits
from podium.config.redis import Redis as RedisSettings
from podium.core.errors import QuotaExhausted, RateLimited, Unavailable
from podium.core.identity import Principal
from podium.store.link import RedisLink
from support.ledgers import PATIENT, eventually, load_real_library
from support.ports import free_port
from support.redis import redis_server
from support.resp_server import RespServer, bulk

CALLER = Principal(tenant="acme", key_id="k", roles=frozenset({"infer"}))
TOKENS_PER_MINUTE = 100_000
LEASE_SECONDS = 6.0
FIRST_CALLS_SECONDS = 0.05
LATER_CALLS_SECONDS = 0.01
RECOVERY_SECONDS = 5.0
TRIES = 3  # a busy machine may be late; a bound that does not hold is late each time
ACCESS = Access(
    lease_seconds=LEASE_SECONDS,
    key_quotas=QuotaLimits(tokens_per_minute=TOKENS_PER_MINUTE, requests_per_minute=10_000),
    tenants={"*": QuotaLimits(tokens_per_day=10**7)},
)


@dataclass
class Client:
    """Sends requests through a keeper and remembers how long each reservation took."""

    keeper: QuotaKeeper
    seconds: list[float] = field(default_factory=list)
    requests: int = 0
    refusals: int = 0
    tokens: int = 0

    async def reserve(self, tokens: int) -> Lease:
        return await self.keeper.reserve(CALLER, "echo", request_id="r", prompt_tokens=0, output_tokens=tokens)

    async def one(self, *, output: int = 50) -> None:
        begin = time.monotonic()
        try:
            lease = await self.reserve(output)
        except (RateLimited, QuotaExhausted):
            self.refusals += 1
        else:
            lease.settle(10, 5)
            self.requests += 1
            self.tokens += 15
        self.seconds.append(time.monotonic() - begin)

    async def some(self, count: int) -> list[float]:
        for _ in range(count):
            await self.one()
            await asyncio.sleep(0)
        return self.seconds[-count:]

    async def told(self) -> None:
        await eventually(lambda: not self.keeper.facts().queued)

    async def seconds_until_shared(self) -> float:
        begin = time.monotonic()
        await eventually(lambda: not self.keeper.facts().local, seconds=4 * RECOVERY_SECONDS)
        return time.monotonic() - begin


@asynccontextmanager
async def _client(url: str, **settings: object) -> AsyncIterator[Client]:
    given = RedisSettings.model_validate({"url": url, **settings})
    link = RedisLink(given)
    overrides = QuotaOverrides()
    ledger = RedisLedger(link, given, lease_seconds=LEASE_SECONDS)
    try:
        async with QuotaKeeper(ACCESS, ledger, lambda: overrides) as keeper:
            yield Client(keeper)
    finally:
        await link.aclose()


async def _usage(client: Client) -> tuple[int, int]:
    rows = await client.keeper.usage(since_seconds=3600)
    return sum(row.requests for row in rows), sum(row.prompt_tokens + row.output_tokens for row in rows)


def test_a_frozen_store_costs_little_and_is_used_again_soon_and_nothing_is_lost() -> None:
    async def scenario() -> tuple[float, float, float]:
        with redis_server() as server:
            async with _client(server.url) as client:
                await client.some(50)
                server.freeze()
                first = max(await client.some(3))
                later = sorted(await client.some(300))[296]
                assert client.keeper.facts().local_decisions >= 300
                server.thaw()
                recovery = await client.seconds_until_shared()
                await client.some(50)
                await client.told()
                assert client.refusals == 0
                assert await _usage(client) == (client.requests, client.tokens)
                return first, later, recovery

    seen = []
    for _ in range(TRIES):
        seen.append(uvloop.run(scenario()))
        first, later, recovery = seen[-1]
        if first <= FIRST_CALLS_SECONDS and later <= LATER_CALLS_SECONDS and recovery <= RECOVERY_SECONDS:
            return
    raise AssertionError(f"first calls, later calls, recovery in seconds: {seen}")


def test_a_killed_store_that_comes_back_empty_is_used_again() -> None:
    async def main() -> None:
        port = free_port()
        with redis_server(port=port) as server:
            async with _client(server.url) as client:
                await client.some(20)
                await client.told()
                server.kill()
                await client.some(100)
                assert client.keeper.facts().local
                before = client.requests
                with redis_server(port=port):  # without the functions: they are loaded again
                    await client.seconds_until_shared()
                    await client.some(20)
                    await client.told()
                    requests, _ = await _usage(client)
                    assert requests == client.requests - 20  # what the first store knew is gone, nothing else
                    assert client.requests == before + 20

    uvloop.run(main())


def test_a_store_that_was_never_there_lets_requests_through_within_the_quota_of_one_process() -> None:
    async def main() -> None:
        async with _client(f"redis://127.0.0.1:{free_port()}/0") as client:
            for _ in range(5):
                await client.one(output=25_000)
            assert client.requests == 5  # each is settled with little
            leases = [await client.reserve(25_000) for _ in range(3)]
            with pytest.raises(RateLimited, match="share"):
                await client.reserve(25_000)
            assert len(leases) == 3
            with pytest.raises(Unavailable):
                await client.keeper.usage(since_seconds=10)

    uvloop.run(main())


def test_a_full_store_refuses_no_request_and_still_takes_settlements() -> None:
    async def main() -> None:
        with redis_server() as server, server.client() as admin:
            async with _client(server.url, **PATIENT) as client:
                await client.some(20)
                running = await client.reserve(70_000)
                admin.config_set("maxmemory", 1)
                await client.some(50)
                assert client.keeper.facts().local_decisions >= 50
                running.settle(0, 5)
                await client.told()
                admin.config_set("maxmemory", 0)
                await client.seconds_until_shared()
                decisions = client.keeper.facts().local_decisions
                await client.one(output=90_000)
                assert client.refusals == 0
                assert client.keeper.facts().local_decisions == decisions
                assert await _usage(client) == (client.requests + 1, client.tokens + 5)

    uvloop.run(main())


@pytest.mark.parametrize(
    "rights",
    [("-fcall",), ("resetkeys", "~other:*"), ("-@write",), ("off",)],
    ids=["fcall", "keys", "writing", "entry"],
)
def test_a_store_that_does_not_permit_it_refuses_no_request(rights: tuple[str, ...], log: LogCapture) -> None:
    async def main() -> None:
        with redis_server() as server, server.client() as admin:
            load_real_library(admin)
            admin.execute_command("ACL", "SETUSER", "app", "on", ">secret", "~podium:*", "+@all", *rights)
            async with _client(f"redis://app:secret@127.0.0.1:{server.port}/0") as client:
                await client.some(50)
                assert (client.requests, client.refusals) == (50, 0)
                assert client.keeper.facts().local_decisions == 50
                await eventually(lambda: [entry for entry in log.entries if entry["log_level"] == "error"])
                admin.execute_command("ACL", "SETUSER", "app", "on", "~podium:*", "+@all")
                await eventually(lambda: not client.keeper.facts().queued, seconds=4 * RECOVERY_SECONDS)
                assert await _usage(client) == (client.requests, client.tokens)

    uvloop.run(main())


def test_a_store_that_forgets_everything_under_load_refuses_no_request() -> None:
    async def main() -> None:
        with redis_server() as server, server.client() as admin:
            async with _client(server.url, **PATIENT) as client:
                for _ in range(10):
                    await client.some(20)
                    admin.flushall()
                    admin.execute_command("FUNCTION", "FLUSH")
                assert (client.requests, client.refusals) == (200, 0)
                await client.seconds_until_shared()
                await client.some(20)
                assert client.refusals == 0

    uvloop.run(main())


@pytest.mark.parametrize(
    "lie",
    [
        b":7\r\n",
        b"*0\r\n",
        b"*2\r\n:1\r\n:1\r\n",
        b"*3\r\n:1\r\n:1\r\n$1\r\nx\r\n",
        b"*11\r\n" + b":9\r\n" * 11,
        b"*11\r\n" + b"#t\r\n" * 11,
        b"_\r\n",
        bulk(b"OK"),
        b"-LOADING wait\r\n",
        b"\x00garbage\r\n",
    ],
)
def test_a_store_that_lies_refuses_no_request(lie: bytes) -> None:
    def answer(connection: socket.socket, command: list[bytes]) -> None:
        honest = {b"podium_version": b":1\r\n", b"podium_flush": b"*4\r\n:1\r\n:1\r\n:0\r\n:0\r\n"}
        connection.sendall(honest.get(command[1], lie) if len(command) > 1 else b"+PONG\r\n")

    async def main(store: RespServer) -> None:
        async with _client(store.url) as client:
            assert not client.keeper.facts().local
            await client.some(20)
            assert (client.requests, client.refusals) == (20, 0)

    with RespServer(answer) as store:
        uvloop.run(main(store))


def test_a_flush_that_is_answered_with_nonsense_is_tried_again() -> None:
    lies = [b":7\r\n", bulk(b"OK"), b"*4\r\n:1\r\n_\r\n:0\r\n:0\r\n"]
    honest = b"*4\r\n:1\r\n:1\r\n:0\r\n:0\r\n"
    told: list[bytes] = []

    def answer(connection: socket.socket, command: list[bytes]) -> None:
        if command[1:2] == [b"podium_flush"]:
            told.append(command[-1])
            connection.sendall(lies.pop() if lies else honest)
        else:
            connection.sendall(b":1\r\n" if len(command) > 1 else b"+PONG\r\n")

    async def main(store: RespServer) -> None:
        async with _client(store.url) as client:
            await client.one()
            await client.told()
            assert len(told) >= 4
            assert told[0] == told[1] == told[2] == told[3]  # the same batch under the same number

    with RespServer(answer) as store:
        uvloop.run(main(store))


def test_leaving_tells_what_is_left_and_gives_up_on_a_store_that_is_away() -> None:
    async def main() -> None:
        with redis_server() as server:
            async with _client(server.url) as client:
                for _ in range(500):
                    await client.reserve(1)
                await client.one()
            async with _client(server.url) as client:
                assert (await _usage(client))[0] == 1
                await client.one()
                server.freeze()
                begin = time.monotonic()
            assert time.monotonic() - begin < FAREWELL_SECONDS + 1.0

    uvloop.run(main())


def test_news_beyond_the_bound_are_reduced_to_usage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redis_ledger_outbox, "MOST_SETTLEMENTS", 10)

    async def main() -> None:
        with redis_server() as server:
            async with _client(server.url) as client:
                server.freeze()
                await client.some(200)
                assert client.keeper.facts().dropped >= 150
                assert client.keeper.facts().queued < 100
                server.thaw()
                await client.seconds_until_shared()
                await client.told()
                assert await _usage(client) == (client.requests, client.tokens)

    uvloop.run(main())
