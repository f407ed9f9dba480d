"""What may be kept, and which kept answer a request accepts."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Literal, TypeVar

import pytest
import uvloop

from podium.cache.claims import MemoryClaims
from podium.cache.memory_entries import MemoryEntries
from podium.cache.response_cache import ResponseCache
from podium.config.cache import Cache
from podium.core.generation import CacheControl, SamplingParams
from support.answers import answer, key_for, request, retry_key

T = TypeVar("T")
NOW = 5000.0


def a_cache(store: Literal["auto", "off"] = "auto", *, allow_force: bool = True) -> ResponseCache:
    entries = MemoryEntries(max_bytes=1024**2, max_entry_bytes=1024**2)
    settings = Cache(store=store, allow_force=allow_force)
    return ResponseCache(entries, MemoryClaims(), settings, clock=lambda: NOW)


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return uvloop.run(coroutine)


@pytest.mark.parametrize(
    ("sampling", "kept"),
    [
        (SamplingParams(temperature=0.0), True),
        (SamplingParams(temperature=0.0, n=4), True),
        (SamplingParams(temperature=0.7, seed=0), True),
        (SamplingParams(temperature=0.7, seed=1, n=2), False),
        (SamplingParams(temperature=0.7), False),
        (SamplingParams(temperature=0.7, top_k=1), False),
    ],
)
def test_an_answer_is_kept_when_the_request_determines_it(sampling: SamplingParams, kept: bool) -> None:  # noqa: FBT001
    assert a_cache().cacheable(request(sampling=sampling)) is kept


def test_an_answer_is_kept_by_force_where_that_is_allowed() -> None:
    forced = request(sampling=SamplingParams(n=3), cache=CacheControl(force=True))
    assert a_cache().cacheable(forced)
    assert not a_cache(allow_force=False).cacheable(forced)


def test_nothing_is_kept_by_content_when_the_cache_is_off() -> None:
    greedy = request(sampling=SamplingParams(temperature=0.0), cache=CacheControl(force=True))
    assert not a_cache("off").cacheable(greedy)


@pytest.mark.parametrize(
    ("control", "found"),
    [
        (CacheControl(), True),
        (CacheControl(max_age_seconds=100.0), True),
        (CacheControl(max_age_seconds=99.0), False),
        (CacheControl(max_age_seconds=0.0), False),
        (CacheControl(read=False), False),
        (CacheControl(write=False), True),
    ],
)
def test_a_request_gets_no_older_answer_than_it_accepts(control: CacheControl, found: bool) -> None:  # noqa: FBT001
    async def main() -> None:
        async with a_cache() as cache:
            key = key_for()
            cache.keep(key, answer(key, created=NOW - 100), ttl_seconds=60)
            assert (await cache.lookup(request(cache=control), key) is not None) is found

    run(main())


def test_a_retry_gets_its_answer_however_old() -> None:
    async def main() -> None:
        async with a_cache("off") as cache:
            key = retry_key("k")
            cache.keep(key, answer(key, created=NOW - 100), ttl_seconds=60)
            control = CacheControl(read=False, max_age_seconds=0.0)
            assert await cache.lookup(request(cache=control), key) is not None

    run(main())


def test_an_answer_from_a_clock_that_is_ahead_counts_as_new() -> None:
    async def main() -> None:
        async with a_cache() as cache:
            key = key_for()
            cache.keep(key, answer(key, created=NOW + 5), ttl_seconds=60)
            assert await cache.lookup(request(cache=CacheControl(max_age_seconds=0.0)), key) is not None

    run(main())


def test_keeping_an_answer_gives_up_the_claim_on_its_key() -> None:
    async def main() -> None:
        async with a_cache() as cache:
            key = retry_key("k")
            assert await cache.claim(key)
            assert not await cache.claim(key)
            cache.keep(key, answer(key), ttl_seconds=60)
            assert await cache.claim(key)
            cache.release(key)
            cache.release(key)
            assert await cache.claim(key)

    run(main())


def test_use_tells_of_each_model_what_is_kept_and_what_requests_got() -> None:
    async def main() -> None:
        async with a_cache() as cache:
            key = key_for()
            cache.keep(key, answer(key), ttl_seconds=60)
            for status in ("miss", "hit", "hit", "attach", "bypass"):
                cache.count("demo", status)
            cache.count("other", "bypass")
            demo, other = await cache.use()
            assert (demo.model, demo.keys, demo.memory_bytes > 100) == ("demo", 1, True)
            assert demo.lookups == {"hit": 2, "semantic": 0, "miss": 1, "attach": 1, "bypass": 1}
            assert demo.hit_ratio == 0.75
            assert cache.requests["demo"] == demo.lookups
            assert (cache.entries, cache.memory_bytes) == (1, demo.memory_bytes)
            assert (other.model, other.keys, other.hit_ratio) == ("other", 0, None)
            assert await cache.clear() == 1
            assert (await cache.use())[0].keys == 0

    run(main())


def test_the_figures_that_were_given_do_not_change_afterwards() -> None:
    async def main() -> None:
        async with a_cache() as cache:
            cache.count("demo", "hit")
            before = (await cache.use())[0].lookups["hit"]
            (row,) = await cache.use()
            cache.count("demo", "hit")
            assert before == row.lookups["hit"] == 1

    run(main())
