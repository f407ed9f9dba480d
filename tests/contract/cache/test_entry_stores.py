"""What every store of kept answers promises."""

from __future__ import annotations

import time

import pytest
import uvloop

from podium.cache.entry import Entry
from podium.cache.key import CacheKey
from podium.core.generation import Chunk
from support.answers import answer, key_for, retry_key
from support.cache_stores import MAX_ENTRY_BYTES, Open, Opened
from support.deadline import until

TENANTS = ("acme", "other")
MODELS = ("demo", "big")
ALL = [(tenant, model) for tenant in TENANTS for model in MODELS]


async def keep(opened: Opened, key: CacheKey, entry: Entry | None = None, *, ttl_seconds: float = 60.0) -> None:
    opened.store.put(key, entry or answer(key, model=key.model or "demo"), ttl_seconds=ttl_seconds)
    await opened.written()


async def keep_all(opened: Opened) -> None:
    for tenant, model in ALL:
        await keep(opened, key_for(tenant=tenant, model=model))


async def found(opened: Opened) -> list[tuple[str, str]]:
    return [pair for pair in ALL if await opened.store.get(key_for(tenant=pair[0], model=pair[1])) is not None]


def test_an_answer_comes_back_as_it_was(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            key = key_for()
            chunks = tuple(Chunk(0, f"wörd {n}", (n,), 1, finish_reason="stop" if n == 15 else None) for n in range(16))
            entry = Entry(key.digest, key.tenant, key.model, "1", "echo", 12.5, b"f" * 32, chunks)
            await keep(opened, key, entry)
            assert await opened.store.get(key) == entry

    uvloop.run(main())


def test_what_was_never_kept_is_not_found(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            assert await opened.store.get(key_for()) is None
            assert await opened.store.get(retry_key("k")) is None
            assert opened.store.counts.garbage == 0

    uvloop.run(main())


def test_an_answer_is_found_under_its_own_key_only(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            key = key_for()
            await keep(opened, key)
            for other in (
                key_for("another"),
                CacheKey(key.digest, "other", key.model),
                CacheKey(key.digest, key.tenant, "other"),
            ):
                assert await opened.store.get(other) is None

    uvloop.run(main())


def test_an_answer_that_says_it_is_another_ones_is_never_given(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            mine, theirs = key_for(), key_for(tenant="other")
            await keep(opened, mine, answer(theirs))
            assert await opened.store.get(mine) is None
            assert opened.store.counts.garbage == 1
            await opened.written()
            assert await opened.store.get(mine) is None
            assert opened.store.counts.garbage == 1  # it was deleted

    uvloop.run(main())


def test_the_later_answer_counts(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            key = key_for()
            for text in ("first", "second"):
                opened.store.put(key, answer(key, text), ttl_seconds=60.0)
            await opened.written()
            entry = await opened.store.get(key)
            assert entry is not None
            assert entry.chunks[-1].text == "second"

    uvloop.run(main())


def test_an_answer_ends_with_its_time(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            await keep(opened, key_for(), ttl_seconds=0.3)
            await keep(opened, key_for("longer"))
            assert await opened.store.get(key_for()) is not None
            end = time.monotonic() + 0.35
            until("its time is over", lambda: time.monotonic() > end)
            assert await opened.store.get(key_for()) is None
            assert await opened.store.get(key_for("longer")) is not None

    uvloop.run(main())


def test_an_answer_over_the_cap_is_counted_and_not_kept(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            key = key_for()
            await keep(opened, key, answer(key, "x" * MAX_ENTRY_BYTES))
            assert await opened.store.get(key) is None
            assert opened.store.counts.too_large == 1
            await keep(opened, key, answer(key, "x" * (MAX_ENTRY_BYTES - 400)))
            assert await opened.store.get(key) is not None

    uvloop.run(main())


@pytest.mark.parametrize("model", [None, "demo", "big", "unknown"])
@pytest.mark.parametrize("tenant", [None, "acme", "other", "unknown"])
def test_clearing_takes_exactly_what_was_asked_for(open_store: Open, model: str | None, tenant: str | None) -> None:
    async def main() -> None:
        async with open_store() as opened:
            await keep_all(opened)
            gone = [pair for pair in ALL if tenant in {None, pair[0]} and model in {None, pair[1]}]
            assert await found(opened) == ALL
            assert await opened.store.clear(model=model, tenant=tenant) == len(gone)
            assert await found(opened) == [pair for pair in ALL if pair not in gone]
            await keep_all(opened)
            assert await found(opened) == ALL

    uvloop.run(main())


def test_clearing_a_model_takes_its_answers_to_retries_too(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            for name, model in (("one", "demo"), ("two", "big")):
                key = retry_key(name)
                await keep(opened, key, answer(key, model=model))
            assert await opened.store.clear(model="demo") == 1
            assert await opened.store.get(retry_key("one")) is None
            assert await opened.store.get(retry_key("two")) is not None
            assert await opened.store.clear(tenant="acme") == 1
            assert await opened.store.get(retry_key("two")) is None

    uvloop.run(main())


def test_use_tells_answers_and_bytes_of_each_model(open_store: Open) -> None:
    async def main() -> None:
        async with open_store() as opened:
            assert await opened.store.use() == {}
            await keep_all(opened)
            retry = retry_key("k")
            await keep(opened, retry, answer(retry, "x" * 5000, model="big"))
            use = await opened.store.use()
            assert {model: held.keys for model, held in use.items()} == {"demo": 2, "big": 3}
            assert 200 < use["demo"].memory_bytes < 2500
            assert 5000 < use["big"].memory_bytes < 8500

    uvloop.run(main())
