"""The stores of the response cache, opened the same way."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from podium.cache.claims import Claims, MemoryClaims, RedisClaims
from podium.cache.entry_store import EntryStore
from podium.cache.memory_entries import MemoryEntries
from podium.cache.redis_entries import RedisEntries
from podium.cache.redis_writer import RedisWriter
from podium.config.redis import Redis
from podium.store.link import RedisLink, StoreCalls

PATIENT_SECONDS = 2.0  # the machine may be busy; tests of time limits use the product's own
MAX_ENTRY_BYTES = 16 * 1024


@dataclass
class Opened:
    """A running store with its claims; ``written`` waits until what was put is there."""

    store: EntryStore
    claims: Claims
    calls: StoreCalls | None = None
    writer: RedisWriter = field(default_factory=RedisWriter)

    async def written(self) -> None:
        """Everything that was put or released so far is done."""
        await self.writer.done()


Open: TypeAlias = Callable[[], AbstractAsyncContextManager[Opened]]


@asynccontextmanager
async def open_memory() -> AsyncIterator[Opened]:
    """Answers and claims of this process."""
    async with (
        MemoryEntries(max_bytes=1024**2, max_entry_bytes=MAX_ENTRY_BYTES) as store,
        MemoryClaims() as claims,
    ):
        yield Opened(store, claims)


def open_redis(url: str, **settings: object) -> Open:
    """Answers and claims of every process that names ``url``."""

    @asynccontextmanager
    async def opened() -> AsyncIterator[Opened]:
        link = RedisLink(Redis.model_validate({"url": url, "call_seconds": PATIENT_SECONDS, **settings}))
        calls = link.for_purpose("cache")
        writer = RedisWriter()
        try:
            async with (
                writer,
                RedisEntries(calls, writer, max_entry_bytes=MAX_ENTRY_BYTES) as store,
                RedisClaims(calls, writer) as claims,
            ):
                yield Opened(store, claims, calls, writer)
        finally:
            await link.aclose()

    return opened
