"""Kept answers in this process, the least recently used go first."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self

from podium.cache.entry import Entry, decode, encode
from podium.cache.entry_store import Held, StoreCounts
from podium.cache.key import CacheKey

OVERHEAD_BYTES = 480
"""What an entry costs beside its bytes: table slot, key, record. Measured with tracemalloc (test_memory_entries)."""


@dataclass(frozen=True, slots=True)
class _Kept:
    data: bytes
    tenant: str
    model: str
    ends: float

    @property
    def memory_bytes(self) -> int:
        return len(self.data) + len(self.tenant) + len(self.model) + OVERHEAD_BYTES


class MemoryEntries:
    """Keeps at most ``max_bytes``, overhead included, and no single answer over ``max_entry_bytes``.

    Entries are kept encoded, so that their size is known and nobody can change them. ``clock`` is monotonic
    seconds. Not thread-safe.
    """

    def __init__(self, *, max_bytes: int, max_entry_bytes: int, clock: Callable[[], float] = time.monotonic) -> None:
        self.counts = StoreCounts()
        self.memory_bytes = 0
        self._max_bytes = max_bytes
        self._max_entry_bytes = min(max_entry_bytes, max_bytes)
        self._clock = clock
        self._kept: OrderedDict[bytes, _Kept] = OrderedDict()

    @property
    def held(self) -> Held:
        """See ``EntryStore``; those whose time is over are counted until they are in the way."""
        return Held(len(self._kept), self.memory_bytes)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        self._kept.clear()
        self.memory_bytes = 0

    async def get(self, key: CacheKey) -> Entry | None:
        """See ``EntryStore``."""
        kept = self._kept.get(key.digest)
        if kept is None:
            return None
        if kept.ends <= self._clock():
            self._forget(key.digest)
            return None
        entry = decode(kept.data, key)
        if entry is None:
            self.counts.garbage += 1
            self._forget(key.digest)
            return None
        self._kept.move_to_end(key.digest)
        return entry

    def put(self, key: CacheKey, entry: Entry, *, ttl_seconds: float) -> None:
        """See ``EntryStore``; at once."""
        kept = _Kept(encode(entry), entry.tenant, entry.model, self._clock() + ttl_seconds)
        if len(kept.data) > self._max_entry_bytes or kept.memory_bytes > self._max_bytes:
            self.counts.too_large += 1
            return
        self._forget(key.digest)
        self._kept[key.digest] = kept
        self.memory_bytes += kept.memory_bytes
        while self.memory_bytes > self._max_bytes:
            self._forget(next(iter(self._kept)))
            self.counts.evicted += 1

    async def clear(self, *, model: str | None = None, tenant: str | None = None) -> int:
        """See ``EntryStore``."""
        self._forget_ended()
        wanted = [
            digest
            for digest, kept in self._kept.items()
            if model in {None, kept.model} and tenant in {None, kept.tenant}
        ]
        for digest in wanted:
            self._forget(digest)
        return len(wanted)

    async def use(self) -> Mapping[str, Held]:
        """See ``EntryStore``."""
        self._forget_ended()
        held: dict[str, Held] = {}
        for kept in self._kept.values():
            held[kept.model] = held.get(kept.model, Held()).plus(kept.memory_bytes)
        return held

    def _forget_ended(self) -> None:
        now = self._clock()
        for digest in [digest for digest, kept in self._kept.items() if kept.ends <= now]:
            self._forget(digest)

    def _forget(self, digest: bytes) -> None:
        kept = self._kept.pop(digest, None)
        if kept is not None:
            self.memory_bytes -= kept.memory_bytes
