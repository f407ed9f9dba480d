"""A Redis that is frozen, killed or emptied takes no key away and gives none back."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
import uvloop
from structlog.testing import LogCapture

from podium.access.gatekeeper import Gatekeeper
from podium.access.key_directory import KeyDirectory
from podium.access.key_record import KeyRecord
from podium.access.redis_keys import RedisKeyStore
from podium.config.access import Access
from podium.config.redis import Redis
from podium.core.errors import Unauthenticated, Unavailable
from podium.store.link import RedisLink
from support.deadline import soon
from support.keys import RedisSubject, new_key
from support.quiet_logs import captured_logs
from support.redis import RedisServer, redis_server

REFRESH_SECONDS = 0.05
RECOVERY_SECONDS = 10.0  # the bar of 5 s, on a machine that others use too


@pytest.fixture(autouse=True)
def log() -> Iterator[LogCapture]:
    with captured_logs() as capture:
        yield capture


@asynccontextmanager
async def followed(server: RedisServer) -> AsyncIterator[KeyDirectory]:
    """A directory with the settings that a server has."""
    link = RedisLink(Redis(url=server.url))
    try:
        async with KeyDirectory(RedisKeyStore(link.for_purpose("keys")), REFRESH_SECONDS) as directory:
            yield directory
    finally:
        await link.aclose()


async def write(server: RedisServer, *records: KeyRecord, revoke: KeyRecord | None = None) -> None:
    async with RedisSubject(server).open() as store:
        for record in records:
            await store.add(record)
        if revoke is not None:
            await store.revoke(revoke.id, time.time())


def lets_in(directory: KeyDirectory, text: str) -> bool:
    try:
        Gatekeeper(Access(), directory, clock=lambda: 0.0).identify([text], local=False)
    except Unauthenticated:
        return False
    return True


def test_while_redis_is_frozen_keys_are_checked_as_fast_as_ever_and_afterwards_as_truly(log: LogCapture) -> None:
    async def main() -> None:
        with redis_server() as server:
            text, record = new_key()
            await write(server, record)
            async with followed(server) as directory:
                server.freeze()
                await soon("the loss is noticed", lambda: events(log, "key store away"))
                started = time.perf_counter()
                assert all(lets_in(directory, text) for _ in range(1000))
                assert time.perf_counter() - started < 1.0
                server.thaw()
                await write(server, revoke=record)
                await soon("the revocation", lambda: not lets_in(directory, text), seconds=RECOVERY_SECONDS)

    uvloop.run(main())
    assert len(events(log, "key store away")) == 1


def test_a_killed_redis_that_comes_back_empty_takes_no_key_away(log: LogCapture) -> None:
    async def main() -> None:
        old_text, old = new_key()
        new_text, new = new_key()
        with redis_server() as server:
            await write(server, old)
            async with followed(server) as directory:
                server.kill()
                await soon("the loss is noticed", lambda: events(log, "key store away"))
                assert lets_in(directory, old_text)
                with redis_server(port=server.port) as successor:
                    await soon(
                        "the loss of data is told", lambda: events(log, "key store lost data"), seconds=RECOVERY_SECONDS
                    )
                    assert lets_in(directory, old_text)
                    await write(successor, new)
                    await soon("the new key", lambda: lets_in(directory, new_text), seconds=RECOVERY_SECONDS)
                    assert lets_in(directory, old_text)

    uvloop.run(main())
    assert len(events(log, "key store lost data")) == 1


def test_an_emptied_redis_takes_no_key_away_and_no_revocation_back(log: LogCapture) -> None:
    async def main() -> None:
        text, record = new_key()
        ended_text, ended = new_key()
        with redis_server() as server:
            await write(server, record, ended, revoke=ended)
            async with followed(server) as directory:
                with server.client() as client:
                    client.flushall()
                await soon("the loss is told", lambda: events(log, "key store lost data"))
                assert lets_in(directory, text)
                later_text, later = new_key()
                await write(server, ended, later)  # the ended one without its revocation
                await soon("the store is read again", lambda: lets_in(directory, later_text))
                assert not lets_in(directory, ended_text)

    uvloop.run(main())


def test_a_server_that_starts_while_redis_is_away_lets_nobody_in_and_nobody_is_told_a_lie() -> None:
    async def main() -> None:
        text, record = new_key()
        with redis_server() as server:
            await write(server, record)
            server.freeze()
            started = time.monotonic()
            async with followed(server) as directory:
                assert time.monotonic() - started < 6
                assert not directory.loaded
                with pytest.raises(Unavailable):
                    lets_in(directory, text)
                server.thaw()
                await soon("the key", lambda: directory.loaded, seconds=RECOVERY_SECONDS)
                assert lets_in(directory, text)

    uvloop.run(main())


def events(log: LogCapture, name: str) -> list[object]:
    return [entry for entry in log.entries if entry["event"] == name]
