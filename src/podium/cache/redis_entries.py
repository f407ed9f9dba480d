"""Kept answers in Redis, for every replica that names the same one."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from podium.cache.entry import Entry, encode
from podium.cache.entry_store import Held, StoreCounts
from podium.cache.generations import Generations
from podium.cache.key import CacheKey
from podium.cache.redis_survey import RedisSurvey, entry_name
from podium.cache.redis_writer import WRITE_SECONDS, RedisWriter
from podium.cache.sealed import MOST_EXTRA_BYTES, model_of, seal, stamp_of, unseal
from podium.core.errors import Unavailable
from podium.store.link import StoreCalls, StoreRefused, StoreUnavailable

MOST_WAITING = 1024
MOST_WAITING_BYTES = 32 * 1024**2
BATCH = 32
BATCH_BYTES = 4 * 1024**2
MOST_MENDING = 64
WRONG_TYPE = "WRONGTYPE"  # Redis' word for a value that is no string, or marks that are no hash


@dataclass(frozen=True, slots=True)
class _Waiting:
    key: CacheKey
    model: str
    data: bytes
    ttl_ms: int


class RedisEntries:
    """Each answer is one sealed string under a name that tells nothing, with Redis' own time limit.

    Reading is one bounded call. Writing waits in a bounded queue; what has no room is dropped and counted.
    Anything that is not the sealed answer of its key is a miss, is counted, and is deleted. ``clear`` renews
    a mark (``generations``), which acts on every replica at once, and then removes what it can find in two
    seconds. Needs an ACL of ``+@read +@write`` on ``<prefix>:*`` only. ``writer`` must run, and end after it.
    """

    def __init__(self, calls: StoreCalls, writer: RedisWriter, *, max_entry_bytes: int) -> None:
        self.counts = StoreCounts()
        self._calls = calls
        self._writer = writer
        self._max_entry_bytes = max_entry_bytes
        self._generations = Generations(calls.prefix)
        self._survey = RedisSurvey(calls)
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._flushing = False
        self._mending: set[str] = set()

    @property
    def held(self) -> None:
        """See ``EntryStore``."""
        return None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Nothing of its own runs; what waits is the writer's."""

    async def get(self, key: CacheKey) -> Entry | None:
        """See ``EntryStore``. Two calls for a key that does not say its model, else one."""
        try:
            value, stamp = await (self._read_retry(key) if key.kind == "retry" else self._read(key))
        except StoreUnavailable as error:
            self.counts.unanswered += 1
            if isinstance(error, StoreRefused) and error.reason == WRONG_TYPE:
                self._mend(key)
            return None
        if value == b"":
            return None
        entry = None
        if isinstance(value, bytes) and len(value) <= self._most_bytes:
            entry = unseal(key, value)
        if entry is None:
            self.counts.garbage += 1
            self._mend(key, garbage=True)
            return None
        return entry if stamp and stamp_of(value) == stamp else None

    def put(self, key: CacheKey, entry: Entry, *, ttl_seconds: float) -> None:
        """See ``EntryStore``."""
        data = encode(entry)
        if len(data) > self._max_entry_bytes:
            self.counts.too_large += 1
            return
        full = len(self._waiting) >= MOST_WAITING or self._waiting_bytes + len(data) > MOST_WAITING_BYTES
        if full or not self._will_flush():
            self.counts.dropped += 1
            return
        self._waiting.append(_Waiting(key, entry.model, data, max(1, int(1000 * ttl_seconds))))
        self._waiting_bytes += len(data)

    async def clear(self, *, model: str | None = None, tenant: str | None = None) -> int:
        """See ``EntryStore``."""
        self._waiting = deque(
            item for item in self._waiting if model not in {None, item.model} or tenant not in {None, item.key.tenant}
        )
        self._waiting_bytes = sum(len(item.data) for item in self._waiting)
        try:
            await self._calls.call(*self._generations.renew(model=model, tenant=tenant), seconds=WRITE_SECONDS)
        except StoreUnavailable as error:
            raise Unavailable(
                "The shared store of the response cache does not answer; nothing may have been cleared. Try again.",
                retry_after_seconds=1.0,
            ) from error
        return await self._survey.remove(model=model, tenant=tenant)

    async def use(self) -> Mapping[str, Held]:
        """See ``EntryStore``. Sizes are of the values; counts answers of every replica."""
        return await self._survey.held()

    @property
    def _most_bytes(self) -> int:
        return self._max_entry_bytes + MOST_EXTRA_BYTES

    def _name(self, key: CacheKey) -> str:
        return entry_name(self._calls.prefix, key)

    def _get(self, name: str | bytes) -> tuple[Any, ...]:
        """One byte more than a value may have: enough to see that it is too long, whatever its length."""
        return ("GETRANGE", name, 0, self._most_bytes)

    async def _read(self, key: CacheKey) -> tuple[Any, bytes]:
        marks, value = await self._calls.calls(
            [self._generations.read(key.tenant, key.model), self._get(self._name(key))]
        )
        return value, self._generations.stamp(marks)

    async def _read_retry(self, key: CacheKey) -> tuple[Any, bytes]:
        value = await self._calls.call(*self._get(self._name(key)))
        model = model_of(value) if isinstance(value, bytes) else None
        if model is None:
            return value, b""
        return value, self._generations.stamp(await self._calls.call(*self._generations.read(key.tenant, model)))

    def _will_flush(self) -> bool:
        if not self._flushing:
            self._flushing = self._writer.submit(self._flush)
        return self._flushing

    async def _flush(self) -> None:
        self._flushing = False
        while batch := self._take_batch():
            try:
                await self._write(batch)
            except StoreUnavailable as error:
                self.counts.dropped += len(batch)
                if isinstance(error, StoreRefused) and error.reason == WRONG_TYPE:
                    self._mend(batch[0].key)

    def _take_batch(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < BATCH and size < BATCH_BYTES:
            item = self._waiting.popleft()
            batch.append(item)
            size += len(item.data)
        self._waiting_bytes -= size
        return batch

    async def _write(self, batch: Sequence[_Waiting]) -> None:
        """Read the marks first: an answer that is cleared in between has the old ones, and is not found."""
        reads = [self._generations.read(item.key.tenant, item.model) for item in batch]
        marks = (await self._calls.calls([self._generations.begin(), *reads], seconds=WRITE_SECONDS))[1:]
        stamps = [self._generations.stamp(answer) for answer in marks]
        if not all(stamps):  # the store's marks are none of ours: without them nothing old can come back
            await self._calls.call("UNLINK", self._generations.key, seconds=WRITE_SECONDS)
            raise StoreUnavailable("cache: no marks")
        writes = [
            ("SET", self._name(item.key), seal(item.key, item.model, item.data, stamp), "PX", item.ttl_ms)
            for item, stamp in zip(batch, stamps, strict=True)
        ]
        await self._calls.calls(writes, seconds=WRITE_SECONDS)

    def _mend(self, key: CacheKey, *, garbage: bool = False) -> None:
        """Delete what cannot be an answer, and marks that are no marks; soon, a few such jobs at a time."""
        name = self._name(key)

        async def mend() -> None:
            self._mending.discard(name)
            kinds = await self._calls.calls([("TYPE", self._generations.key), ("TYPE", name)], seconds=WRITE_SECONDS)
            wrong = [self._generations.key] if kinds[0] not in (b"hash", b"none") else []
            wrong += [name] if garbage or kinds[1] not in (b"string", b"none") else []
            if wrong:
                await self._calls.call("UNLINK", *wrong, seconds=WRITE_SECONDS)

        if name not in self._mending and len(self._mending) < MOST_MENDING and self._writer.submit(mend):
            self._mending.add(name)
