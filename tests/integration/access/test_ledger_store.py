"""What the shared ledger leaves in Redis, what it needs to be permitted there, and how it is upgraded."""

from __future__ import annotations

import asyncio
import socket
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import redis
import uvloop
from structlog.testing import LogCapture

from podium.access import redis_ledger_wire as wire
from podium.access.ledger import Limit, Used
from podium.access.redis_ledger import RedisLedger
from podium.access.redis_ledger_functions import VERSION, library_source
from podium.access.usage import Tally
from podium.config.redis import Redis as RedisSettings
from podium.store.link import RedisLink
from support.ledgers import (
    LEASE_SECONDS,
    PATIENT,
    RedisSubject,
    admitted,
    ask,
    eventually,
    limit,
    load_real_library,
    refused,
    renew,
    settle,
    told,
    used_of,
)
from support.redis import RedisServer, redis_server
from support.resp_server import RespServer

TOKENS = limit("tokens_per_minute", 1000)
DAY = limit("tokens_per_day", 5000, scope="tenant", name="acme")
LIVE = limit("concurrent_requests", 2)
REQUESTS = limit("requests_per_minute", 100)
# The rights of a server's user, as the operations manual has them.
RIGHTS = ("+@read", "+@write", "+@connection", "+@transaction", "-@dangerous", "-@scripting", "+fcall")
SERVER_USER = ("on", ">secret", "~podium:*", *RIGHTS)


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@asynccontextmanager
async def _ledger(server: RedisServer, **settings: object) -> AsyncIterator[RedisLedger]:
    """One in real time."""
    given = RedisSettings.model_validate({"url": server.url, **PATIENT, **settings})
    link = RedisLink(given)
    try:
        async with RedisLedger(link, given, lease_seconds=LEASE_SECONDS) as ledger:
            yield ledger
    finally:
        await link.aclose()


async def _until_shared(ledger: RedisLedger) -> None:
    await eventually(lambda: not ledger.facts().local)


def test_every_key_has_the_prefix_one_hash_tag_and_an_end() -> None:
    async def main(server: RedisServer) -> None:
        async with _ledger(server, prefix="mine") as ledger:
            first, dead = ask((TOKENS, 100), (DAY, 100), (LIVE, 1), (REQUESTS, 1)), ask((TOKENS, 100))
            await admitted(ledger, first)
            await admitted(ledger, dead)
            settle(ledger, first, output=50)
            settle(ledger, ask(), output=7)
            await told(ledger)
            _assert_all_end(server)
        _assert_all_end(server)

    with redis_server() as alone:
        uvloop.run(main(alone))


def _assert_all_end(server: RedisServer) -> None:
    with server.client() as client:
        names: list[bytes] = client.keys("*")
        assert len(names) > 5
        for name in names:
            assert name.startswith(b"mine:{q}:"), name
            assert 0 < client.pttl(name) <= 40 * 86_400_000, name


def test_a_reservation_is_one_call() -> None:
    async def main(store: RespServer) -> None:
        settings = RedisSettings.model_validate({"url": store.url, **PATIENT})
        link = RedisLink(settings)
        async with RedisLedger(link, settings, lease_seconds=LEASE_SECONDS) as ledger:
            await told(ledger)
            await asyncio.sleep(0.05)
            store.commands.clear()
            for _ in range(10):
                await admitted(ledger, ask((TOKENS, 1), (DAY, 1)))
            assert [command[1] for command in store.commands] == [b"podium_reserve"] * 10
        await link.aclose()

    def answer(connection: socket.socket, command: list[bytes]) -> None:
        numbers = {b"podium_version": [VERSION], b"podium_flush": [1, 1, 0, 0], b"podium_reserve": [1, 1] + [0] * 6}
        said = [b":%d\r\n" % number for number in numbers[command[1]]]
        connection.sendall((b"*%d\r\n" % len(said) if len(said) > 1 else b"") + b"".join(said))

    with RespServer(answer) as store:
        uvloop.run(main(store))


def test_the_rights_of_a_server_are_enough(server: RedisServer) -> None:
    async def main() -> None:
        with server.client() as admin:
            load_real_library(admin)
            admin.execute_command("ACL", "SETUSER", "app", *SERVER_USER)
        async with _ledger(server, username="app", password_file=secret) as ledger:
            assert not ledger.facts().local
            first, dead = ask((TOKENS, 1000), (DAY, 1000), (LIVE, 1), (REQUESTS, 1)), ask((DAY, 1000), (LIVE, 1))
            await admitted(ledger, first)
            await admitted(ledger, dead)
            await refused(ledger, ask((TOKENS, 1)))
            renew(ledger, first, used=10, declared=20)
            await told(ledger)
            settle(ledger, first, output=30)
            await told(ledger)
            assert await used_of(ledger, TOKENS) == 30
            assert [row.output_tokens for row in await ledger.usage(since_seconds=10)] == [30]
            facts = ledger.facts()
            assert (facts.local, facts.local_decisions, facts.failures) == (False, 0, 0)

    with tempfile.TemporaryDirectory() as folder:
        secret = str(Path(folder) / "password")
        Path(secret).write_text("secret")
        uvloop.run(main())
    with redis.Redis(port=server.port, username="app", password="secret") as app:
        for forbidden in (("EVAL", "return 1", "0"), ("FUNCTION", "LOAD", "x"), ("FLUSHALL",), ("GET", "foreign")):
            with pytest.raises(redis.exceptions.NoPermissionError):
                app.execute_command(*forbidden)


def test_without_the_functions_each_process_decides_alone_until_they_are_there(log: LogCapture) -> None:
    async def main(server: RedisServer) -> None:
        with server.client() as admin:
            admin.execute_command("ACL", "SETUSER", "default", "-function")
            admin.execute_command("ACL", "SETUSER", "operator", "on", "nopass", "~*", "+@all")
        async with _ledger(server) as ledger:
            assert ledger.facts().local
            early = ask((TOKENS, 600))
            assert (await admitted(ledger, early)).local
            assert (await refused(ledger, ask((TOKENS, 500)))).local
            with redis.Redis(port=server.port, username="operator", password="") as operator:
                load_real_library(operator)
            await _until_shared(ledger)
            assert not (await admitted(ledger, ask((REQUESTS, 1)))).local
            settle(ledger, early, output=200)
            await told(ledger)
            assert await used_of(ledger, TOKENS) == 200
            assert [row.output_tokens for row in await ledger.usage(since_seconds=10)] == [200]

    with redis_server() as server:
        uvloop.run(main(server))
    lines = [(entry["log_level"], entry["event"]) for entry in log.entries if entry["event"].startswith("ledger")]
    assert lines == [("error", "ledger functions missing in the store"), ("warning", "ledger functions in use")]


def test_a_new_store_gets_the_functions_without_a_line_of_alarm(log: LogCapture) -> None:
    async def main(server: RedisServer) -> None:
        async with _ledger(server) as ledger:
            await _until_shared(ledger)

    with redis_server() as server:
        uvloop.run(main(server))
    assert not [entry["event"] for entry in log.entries if entry["log_level"] != "info"]


def test_an_older_library_is_replaced_and_a_newer_one_is_left(server: RedisServer) -> None:
    async def version_after(found: int) -> int:
        with server.client() as client:
            source = library_source().replace(f"local VERSION = {VERSION}", f"local VERSION = {found}")
            client.function_load(source, replace=True)
            async with _ledger(server, prefix="podium-version") as ledger:
                assert not ledger.facts().local
            return int(client.execute_command("FCALL", "podium_version", 0))

    assert uvloop.run(version_after(VERSION - 1)) == VERSION
    assert uvloop.run(version_after(VERSION + 1)) == VERSION + 1


def test_a_batch_is_applied_once_however_often_it_comes(server: RedisServer) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        keys = wire.LedgerKeys(subject.prefix)
        item = wire.count_item(ask().payer, Tally(requests=1, output_tokens=5))
        message = wire.flush_message(keys, process="other", number=1, lease_seconds=30, items=[item])
        with server.client() as client:
            for _ in range(3):
                client.execute_command(*wire.flush_command(keys, message))
        async with subject.opened() as ledger:
            assert [(row.requests, row.output_tokens) for row in await ledger.usage(since_seconds=10)] == [(1, 5)]

    uvloop.run(main())


def test_an_item_that_fails_does_not_hold_up_the_others(server: RedisServer, log: LogCapture) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        async with subject.opened() as ledger:
            bad, good = ask((TOKENS, 100)), ask((DAY, 100))
            await admitted(ledger, bad)
            await admitted(ledger, good)
            with server.client() as client:
                client.set(f"{subject.prefix}:{{q}}:b:{TOKENS.bucket}", "no hash")
            settle(ledger, bad, output=1)
            settle(ledger, good, output=2)
            await told(ledger)
            assert await used_of(ledger, DAY) == 2
            assert (await admitted(ledger, ask((TOKENS, 1)))).local  # the store refuses this one

    uvloop.run(main())
    assert "ledger items failed in the store" in [entry["event"] for entry in log.entries]


def test_a_reservation_that_comes_too_late_is_void(server: RedisServer) -> None:
    subject = RedisSubject(server)
    keys, late, forgotten = wire.LedgerKeys(subject.prefix), ask((TOKENS, 10)), ask((TOKENS, 10))
    forget = wire.flush_message(keys, process="p", number=1, lease_seconds=30, items=[wire.forget_item(forgotten.id)])
    with server.client() as client:
        client.execute_command(*wire.flush_command(keys, forget))
        for request, latest_ms in ((late, subject.clock.milliseconds - 1), (forgotten, subject.clock.milliseconds)):
            command = wire.reserve_command(keys, request, lease_seconds=30, latest_ms=latest_ms)
            assert wire.read_reserve(request, client.execute_command(*command))[1] == "void"
    assert subject.bucket(TOKENS) == {}


def test_a_cancelled_reservation_gives_back_what_it_may_have_taken() -> None:
    async def main(server: RedisServer) -> None:
        async with _ledger(server) as ledger:
            await admitted(ledger, ask((TOKENS, 1)))
            server.freeze()
            task = asyncio.get_running_loop().create_task(ledger.reserve(ask((LIVE, 1))), name="reserve")
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            server.thaw()
            await told(ledger)
            assert await used_of(ledger, LIVE) == 0

    with redis_server() as server:
        uvloop.run(main(server))


def test_a_store_that_forgot_everything_learns_again_what_runs(server: RedisServer) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        async with subject.opened() as ledger:
            runs, ends = ask((DAY, 1000), (LIVE, 1), (REQUESTS, 1)), ask((DAY, 1000))
            await admitted(ledger, runs)
            await admitted(ledger, ends)
            with server.client() as client:
                client.delete(*client.keys(f"{subject.prefix}:*"))
            subject.advance(1)
            assert await used_of(ledger, DAY) == 0
            renew(ledger, runs, used=10, declared=50)
            settle(ledger, ends, output=300)
            await told(ledger)
            assert await used_of(ledger, DAY) == 1300
            assert await used_of(ledger, LIVE) == 1
            assert await used_of(ledger, REQUESTS) == 1
            settle(ledger, runs, output=20)
            await told(ledger)
            assert await used_of(ledger, DAY) == 320
            assert sum(row.requests for row in await ledger.usage(since_seconds=10)) == 2

    uvloop.run(main())


def test_what_lost_records_held_is_free(server: RedisServer) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        async with subject.opened() as ledger:
            await admitted(ledger, ask((DAY, 1000)))
            with server.client() as client:
                client.delete(f"{subject.prefix}:{{q}}:records", f"{subject.prefix}:{{q}}:leases")
            subject.advance(1)
            await admitted(ledger, ask((DAY, 5000)))

    uvloop.run(main())


def test_a_bucket_that_was_lost_is_not_relieved_of_what_others_hold_in_the_new_one(server: RedisServer) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        async with subject.opened() as ledger:
            old = ask((DAY, 4000))
            await admitted(ledger, old)
            with server.client() as client:
                client.delete(f"{subject.prefix}:{{q}}:b:{DAY.bucket}")
            subject.advance(1)
            await admitted(ledger, ask((DAY, 3000)))
            settle(ledger, old, output=10)
            await told(ledger)
            assert await used_of(ledger, DAY) == 3010

    uvloop.run(main())


def test_a_store_clock_that_goes_back_frees_nothing_early(server: RedisServer) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        async with subject.opened() as ledger:
            first = ask((TOKENS, 600), (REQUESTS, 1))
            await admitted(ledger, first)
            settle(ledger, first, output=600)
            await told(ledger)
            subject.advance(-7200)
            second = ask((TOKENS, 400), (REQUESTS, 1))
            await admitted(ledger, second)
            settle(ledger, second, output=400)
            await told(ledger)
            assert await used_of(ledger, TOKENS) == 1000
            assert await used_of(ledger, REQUESTS) == 2
            subject.advance(7200 + 59)
            assert await used_of(ledger, TOKENS) == 1000

    uvloop.run(main())


def test_processes_see_each_other_and_share(server: RedisServer) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        async with subject.opened() as one:
            async with subject.opened() as other:
                await admitted(one, ask((TOKENS, 900)))
                await refused(other, ask((TOKENS, 101)))
                settle(one, ask(), output=5)
                await told(one)
                assert [row.output_tokens for row in await other.usage(since_seconds=10)] == [5]
                assert (one.facts().replicas, other.facts().replicas) == (2, 2)
            settle(one, ask(), output=5)
            await told(one)
            assert one.facts().replicas == 1

    uvloop.run(main())


def _held(subject: RedisSubject, of: Limit) -> int:
    return int(subject.bucket(of).get(b"h", b"0"))


def test_the_requests_of_a_dead_process_are_ended_by_the_others(server: RedisServer) -> None:
    async def main() -> None:
        subject = RedisSubject(server)
        of = limit("tokens_per_day", 10**6)
        async with subject.opened() as ledger, subject.opened() as dead:
            for _ in range(100):
                await admitted(dead, ask((of, 1000), declared=Used(0, 3)))
            assert _held(subject, of) == 100_000
            subject.advance(LEASE_SECONDS)
            settle(ledger, ask())  # any news will do
            await eventually(lambda: not _held(subject, of))
            assert await used_of(ledger, of) == 300
            assert sum(row.requests for row in await ledger.usage(since_seconds=10)) == 101

    uvloop.run(main())
