"""Whatever a store answers, nothing of it reaches a request but an answer or none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import uvloop
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.cache.claims import RedisClaims
from podium.cache.redis_entries import RedisEntries
from podium.cache.redis_writer import RedisWriter
from podium.config.redis import Redis
from podium.core.errors import Unavailable
from podium.store.link import RedisLink, StoreCalls, StoreRefused, StoreUnavailable
from support.answers import answer, key_for, retry_key

nonsense = st.recursive(
    st.none() | st.booleans() | st.integers() | st.binary(max_size=20) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)


class Liar(StoreCalls):
    """Answers each command with the next thing drawn, or fails."""

    def __init__(self, drawn: st.DataObject) -> None:
        link = RedisLink(Redis(url="redis://127.0.0.1:1/0"))
        self.__dict__.update(link.for_purpose("cache").__dict__)
        self._drawn = drawn
        self.asked = 0

    async def call(self, *command: Any, seconds: float | None = None, may_be_refused: bool = False) -> Any:
        del may_be_refused
        return (await self.calls([command], seconds=seconds))[0]

    async def calls(
        self, commands: Sequence[Sequence[Any]], *, seconds: float | None = None, transaction: bool = False
    ) -> list[Any]:
        del seconds, transaction
        self.asked += 1
        if self.asked > 50:
            raise StoreUnavailable("enough")
        kind = self._drawn.draw(st.integers(0, 9))
        if kind == 0:
            raise StoreUnavailable("away")
        if kind == 1:
            raise StoreRefused("NOPERM")
        return [self._drawn.draw(nonsense) for _ in commands]


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_no_lie_raises_or_becomes_an_answer(drawn: st.DataObject) -> None:
    async def main() -> None:
        calls, writer = Liar(drawn), RedisWriter()
        claims = RedisClaims(calls, writer)
        async with writer, RedisEntries(calls, writer, max_entry_bytes=1024) as store, claims:
            for key in (key_for(), retry_key("k")):
                store.put(key, answer(key), ttl_seconds=1.0)
                assert await store.get(key) is None
                assert await claims.claim(key) in {True, False}
                await claims.renew()
                claims.release(key)
            assert all(held.keys >= 0 for held in (await store.use()).values())
            try:
                assert await store.clear(model="demo") >= 0
            except Unavailable:
                assert calls.asked
            await writer.done()

    uvloop.run(main())
