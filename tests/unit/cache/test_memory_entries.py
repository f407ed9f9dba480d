"""Answers in memory stay within their bytes and their time."""

from __future__ import annotations

import asyncio
import gc
import random
import tracemalloc
from collections.abc import Coroutine
from typing import Any, TypeVar

import msgspec

from podium.cache.entry_store import Held
from podium.cache.memory_entries import MemoryEntries
from podium.core.generation import Chunk
from support.answers import answer, key_for

T = TypeVar("T")


class Clock:
    """Seconds that a test sets."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def small_store(max_bytes: int = 1024**2, clock: Clock | None = None) -> MemoryEntries:
    return MemoryEntries(max_bytes=max_bytes, max_entry_bytes=max_bytes, clock=clock or Clock())


def put(store: MemoryEntries, text: str, answer_text: str = "a time", *, ttl_seconds: float = 60.0) -> None:
    key = key_for(text)
    store.put(key, answer(key, answer_text), ttl_seconds=ttl_seconds)


def has(store: MemoryEntries, text: str) -> bool:
    return run(store.get(key_for(text))) is not None


def test_the_least_recently_used_goes_first() -> None:
    store = small_store()
    put(store, "probe")
    store = small_store(3 * store.memory_bytes + 10)
    for text in "abc":
        put(store, text)
    assert has(store, "a")
    put(store, "d")
    assert [text for text in "abcd" if has(store, text)] == ["a", "c", "d"]
    assert store.counts.evicted == 1


def test_bytes_stay_bounded_and_counted_under_a_hundred_thousand_random_puts() -> None:
    rng = random.Random(7)  # noqa: S311
    bound = 256 * 1024
    clock = Clock()
    store = small_store(bound, clock)
    keys = [key_for(str(number)) for number in range(2000)]
    bodies = [answer(key, "x" * int(rng.paretovariate(0.6) * 20)) for key in keys[:300]]
    most = 0
    for _ in range(100_000):
        key = rng.choice(keys)
        body = rng.choice(bodies)
        store.put(key, msgspec.structs.replace(body, digest=key.digest), ttl_seconds=rng.uniform(0.1, 50))
        clock.now += 0.01
        most = max(most, store.memory_bytes)
        if rng.random() < 0.005:
            wanted = rng.choice(keys)
            found = run(store.get(wanted))
            assert found is None or found.digest == wanted.digest
    assert bound / 2 < most <= bound
    held = run(store.use())
    assert sum(one.memory_bytes for one in held.values()) == store.memory_bytes
    assert store.counts.evicted > 1000


def test_the_bytes_it_counts_are_the_bytes_it_takes() -> None:
    """Counted is at least what the interpreter allocates, and not half as much again."""
    entries = [(key := key_for(str(number)), answer(key, f"{number} times")) for number in range(5000)]
    store = small_store(64 * 1024**2)
    gc.collect()
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for key, entry in entries:
            copied = msgspec.structs.replace(key, digest=bytes(bytearray(key.digest)))
            named = msgspec.structs.replace(entry, tenant=b"acme".decode(), model=b"demo".decode())
            store.put(copied, named, ttl_seconds=60.0)
            del copied, named
        gc.collect()
        taken = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert taken <= store.memory_bytes <= 1.5 * taken


def test_an_answer_ends_with_its_time_and_frees_its_bytes() -> None:
    clock = Clock()
    store = small_store(clock=clock)
    put(store, "short", ttl_seconds=10.0)
    put(store, "long", ttl_seconds=20.0)
    clock.now = 9.99
    assert has(store, "short")
    clock.now = 10.0
    assert not has(store, "short")
    assert has(store, "long")
    clock.now = 20.0
    assert run(store.use()) == {}
    assert store.memory_bytes == 0


def test_a_second_answer_replaces_the_first_and_its_bytes() -> None:
    store = small_store()
    put(store, "a", "x" * 1000)
    put(store, "a", "y")
    entry = run(store.get(key_for("a")))
    assert entry is not None
    assert entry.chunks[-1].text == "y"
    assert run(store.use())["demo"] == Held(1, store.memory_bytes)
    assert store.memory_bytes < 1000


def test_an_answer_over_the_cap_is_counted_and_the_others_stay() -> None:
    store = MemoryEntries(max_bytes=1024**2, max_entry_bytes=2000, clock=Clock())
    put(store, "small")
    put(store, "large", "x" * 2000)
    assert store.counts.too_large == 1
    assert has(store, "small")
    assert not has(store, "large")


def test_what_was_kept_does_not_change_with_what_the_engine_made() -> None:
    store = small_store()
    key = key_for("a")
    chunks = [Chunk(0, "first", (1,), 1, finish_reason="stop")]
    store.put(key, msgspec.structs.replace(answer(key), chunks=tuple(chunks)), ttl_seconds=9.0)
    chunks[0] = Chunk(0, "changed")
    entry = run(store.get(key))
    assert entry is not None
    assert entry.chunks[0].text == "first"
