"""The response cache as a request sees it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Self

from podium.cache.claims import Claims
from podium.cache.entry import Entry
from podium.cache.entry_store import EntryStore, StoreCounts
from podium.cache.key import CacheKey
from podium.cache.statistics import ModelUse, Statistics
from podium.config.cache import Cache
from podium.core.generation import GenerationRequest
from podium.core.standing import CacheStatus


class ResponseCache:
    """Kept answers, claims on idempotency keys, and the count of both. ``clock`` is Unix seconds.

    Runs ``store`` and ``claims`` while its context is open. With ``cache.store: off`` only answers under an
    idempotency key are kept, for retries of their own request.
    """

    def __init__(
        self, store: EntryStore, claims: Claims, settings: Cache, clock: Callable[[], float] = time.time
    ) -> None:
        self._store = store
        self._claims = claims
        self._settings = settings
        self._clock = clock
        self._statistics = Statistics()
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(self._store)
            await stack.enter_async_context(self._claims)
            self._running = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    @property
    def counts(self) -> StoreCounts:
        """What the store gave up."""
        return self._store.counts

    @property
    def requests(self) -> Mapping[str, Mapping[CacheStatus, int]]:
        """This process's requests so far by model, then by what came of them."""
        return self._statistics.requests

    @property
    def entries(self) -> int | None:
        """Answers kept in this process; None where they are in a shared store."""
        return None if self._store.held is None else self._store.held.keys

    @property
    def memory_bytes(self) -> int | None:
        """Their bytes; None where they are in a shared store."""
        return None if self._store.held is None else self._store.held.memory_bytes

    def cacheable(self, request: GenerationRequest) -> bool:
        """Whether the answer may be kept and given to other requests with the same content.

        It may when the request determines it: greedy, or sampled with a seed for one choice. With more choices
        than one, which of them draws which numbers is the engine's affair, so those are not. ``force`` takes any
        answer for the answer, where ``cache.allow_force`` lets it. Nothing is with ``cache.store: off``.
        """
        if self._settings.store == "off":
            return False
        sampling = request.sampling
        determined = sampling.is_greedy or (sampling.seed is not None and sampling.n == 1)
        return determined or (request.cache.force and self._settings.allow_force)

    async def lookup(self, request: GenerationRequest, key: CacheKey) -> Entry | None:
        """A kept answer that ``request`` accepts. Never raises; a store that is away has none.

        ``CacheControl.read`` and ``max_age_seconds`` hold for answers found by content. A retry gets the answer
        of its first request, however old.
        """
        if key.kind == "response" and not request.cache.read:
            return None
        entry = await self._store.get(key)
        most = request.cache.max_age_seconds
        if entry is None or key.kind == "retry" or most is None:
            return entry
        return entry if self._clock() - entry.created_unix_seconds <= most else None

    def keep(self, key: CacheKey, entry: Entry, *, ttl_seconds: float) -> None:
        """Keep an answer, and give up the claim on its key, if any. Never waits, never raises."""
        self._store.put(key, entry, ttl_seconds=ttl_seconds)
        self.release(key)

    async def claim(self, key: CacheKey) -> bool:
        """Whether this replica may compute the answer of ``key``; it may until ``keep``, ``release`` or its end."""
        return await self._claims.claim(key)

    def release(self, key: CacheKey) -> None:
        """There is no answer to wait for. Never waits, never raises; no-op where nothing is claimed."""
        if key.kind == "retry":
            self._claims.release(key)

    def count(self, model: str, status: CacheStatus) -> None:
        """One more request, and what came of it."""
        self._statistics.count(model, status)

    async def use(self) -> Sequence[ModelUse]:
        """By model: what is kept (by all replicas that share a store), and this process's requests."""
        return self._statistics.use(await self._store.use())

    async def clear(self, *, model: str | None = None, tenant: str | None = None) -> int:
        """Forget all answers, or those of one model, one tenant, or both, on every replica; how many were there.

        Answers under idempotency keys go too. Raises ``Unavailable`` when a shared store does not answer.
        """
        return await self._store.clear(model=model, tenant=tenant)
