"""Where kept answers are: what every store promises."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self

from podium.cache.entry import Entry
from podium.cache.key import CacheKey


@dataclass
class StoreCounts:
    """What a store gave up, since it was opened.

    ``garbage``: values that were not the answer they should have been. ``dropped``: answers that were not
    written, because too many waited or the store refused them. ``too_large``: answers over the size cap.
    ``evicted``: answers that made room for others. ``unanswered``: lookups without an answer from the store.
    """

    garbage: int = 0
    dropped: int = 0
    too_large: int = 0
    evicted: int = 0
    unanswered: int = 0


@dataclass(frozen=True)
class Held:
    """Kept answers of one model, and the bytes they take in the store."""

    keys: int = 0
    memory_bytes: int = 0

    def plus(self, memory_bytes: int) -> Held:
        """With one answer more."""
        return Held(self.keys + 1, self.memory_bytes + memory_bytes)


class EntryStore(Protocol):
    """Keeps entries until their time is over or their room is needed.

    Entering the context starts it, leaving it ends whatever it runs.
    """

    @property
    def counts(self) -> StoreCounts:
        """What was given up so far."""

    @property
    def held(self) -> Held | None:
        """All that is kept in this process, at no cost; None where it is in a shared store."""

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *_: object) -> None: ...

    async def get(self, key: CacheKey) -> Entry | None:
        """The verified answer of ``key``. Never raises: a store that is away or lies has none.

        Cancelling changes nothing.
        """

    def put(self, key: CacheKey, entry: Entry, *, ttl_seconds: float) -> None:
        """Keep ``entry``, in place of an older one; soon, perhaps never. Never waits, never raises."""

    async def clear(self, *, model: str | None = None, tenant: str | None = None) -> int:
        """Forget all answers, or those of one model, one tenant, or one model and tenant; how many were there.

        When it returns no replica finds one of them. An answer that is being computed may be kept after it.
        Raises ``Unavailable`` when a shared store does not answer; then perhaps nothing was forgotten.
        """

    async def use(self) -> Mapping[str, Held]:
        """What is kept, by model. Never raises; a store that does not answer tells what it told so far."""
