"""What is special about keys in Redis; what every store promises is in tests/contract/keys."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from podium.access.redis_keys import RedisKeyStore
from podium.config.redis import Redis
from podium.core.errors import Unavailable
from podium.store.link import RedisLink, StoreCalls
from support.keys import new_key
from support.redis import RedisServer, redis_server


@pytest.fixture
def server() -> Iterator[RedisServer]:
    with redis_server() as running:
        yield running


@asynccontextmanager
async def opened(server: RedisServer, **settings: Any) -> AsyncIterator[RedisKeyStore]:
    link = RedisLink(Redis(url=server.url, **{"call_seconds": 2.0, "connect_seconds": 2.0, **settings}))
    try:
        yield RedisKeyStore(link.for_purpose("keys"))
    finally:
        await link.aclose()


def test_keys_lie_in_one_hash_under_the_prefix(server: RedisServer) -> None:
    async def main() -> None:
        async with opened(server, prefix="here") as store:
            await store.add(new_key()[1])

    uvloop.run(main())
    with server.client() as client:
        assert client.keys() == [b"here:{keys}"]


def test_two_installations_share_a_redis_without_seeing_each_other(server: RedisServer) -> None:
    async def main() -> None:
        async with opened(server, prefix="a") as first, opened(server, prefix="b") as second:
            await first.add(new_key()[1])
            assert (await second.snapshot()).records == {}

    uvloop.run(main())


def test_a_server_needs_to_read_one_hash_and_nothing_else(server: RedisServer) -> None:
    with server.client() as client:
        client.acl_setuser(
            "reader", enabled=True, passwords=["+x"], categories=["+@connection"], commands=["+hmget", "+hgetall"]
        )
        client.execute_command("ACL", "SETUSER", "reader", "%R~podium:{keys}")

    async def main() -> None:
        async with opened(server) as writer:
            _, record = new_key()
            await writer.add(record)
        reader_url = server.url.replace("//", "//reader:x@")
        link = RedisLink(Redis(url=reader_url, call_seconds=2.0, connect_seconds=2.0))
        reader = RedisKeyStore(link.for_purpose("keys"))
        try:
            assert (await reader.snapshot()).records == {record.id: record}
            assert await reader.version() is not None
            with pytest.raises(Unavailable, match="refused with NOPERM"):
                await reader.revoke(record.id, 1.0)
        finally:
            await link.aclose()

    uvloop.run(main())


def test_a_value_of_another_type_is_a_store_that_refuses(server: RedisServer) -> None:
    with server.client() as client:
        client.set("podium:{keys}", "x")

    async def main() -> None:
        async with opened(server) as store:
            for call in (store.version(), store.snapshot(), store.add(new_key()[1])):
                with pytest.raises(Unavailable, match="refused with WRONGTYPE"):
                    await call

    uvloop.run(main())


def test_a_store_that_is_gone_is_away(server: RedisServer) -> None:
    server.kill()

    async def main() -> None:
        async with opened(server) as store:
            for call in (store.version(), store.snapshot(), store.add(new_key()[1])):
                with pytest.raises(Unavailable, match="does not answer"):
                    await call

    uvloop.run(main())


class LyingCalls:
    """Answers every command with the same thing."""

    prefix = "podium"

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    async def call(self, *_: Any, seconds: float | None = None) -> Any:  # noqa: ARG002
        return self.answer

    async def calls(self, commands: Sequence[Any], **_: Any) -> list[Any]:
        return [self.answer] * len(commands)


@pytest.mark.parametrize(
    "answer", [None, 7, b"x", "x", [], [b"e"], [1, 2], [b"e", b"1", b"2"], {}, {b"a": 1}, [[b"e"]]]
)
def test_no_answer_of_a_lying_server_is_more_than_an_empty_or_absent_store(answer: Any) -> None:
    calls: StoreCalls = LyingCalls(answer)  # type: ignore[assignment]
    store = RedisKeyStore(calls)

    async def main() -> None:
        try:
            version = await store.version()
        except Unavailable:
            version = None
        assert version is None or version.number == 1
        try:
            records = (await store.snapshot()).records
        except Unavailable:
            records = {}
        assert records == {}

    uvloop.run(main())
