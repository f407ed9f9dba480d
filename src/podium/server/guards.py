"""Who may call, how much, and what is kept: put together from the settings."""

from __future__ import annotations

from contextlib import AsyncExitStack
from pathlib import Path
from typing import Self

from podium.access.embedded_ledger import EmbeddedLedger
from podium.access.gatekeeper import Gatekeeper
from podium.access.key_directory import KeyDirectory
from podium.access.key_set import KeySet
from podium.access.key_store_choice import keeps_keys_in_redis, open_key_store
from podium.access.ledger import Ledger
from podium.access.quotas import QuotaKeeper
from podium.access.redis_ledger import RedisLedger
from podium.access.tokens import TokenVerifier
from podium.access.usage_journal import UsageJournal
from podium.cache.claims import Claims, MemoryClaims, RedisClaims
from podium.cache.entry_store import EntryStore
from podium.cache.memory_entries import MemoryEntries
from podium.cache.redis_entries import RedisEntries
from podium.cache.redis_writer import RedisWriter
from podium.cache.response_cache import ResponseCache
from podium.config.access import is_loopback
from podium.config.settings import Settings
from podium.core.errors import ConfigurationError
from podium.models.sharing import Sharing
from podium.store.link import RedisLink, StoreCalls
from podium.telemetry.shared_state import SharedState


class Guards:
    """Keys, quotas and kept answers of one server, and the connection to the store that they share.

    Entered: the keys were read if the store answers, and what runs in the background runs. Left: usage is
    written, or given up when the store does not take it in time.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._link = RedisLink(settings.redis) if settings.redis.url else None
        self.stores: list[StoreCalls] = []
        self.directory = KeyDirectory(open_key_store(settings, self._link), settings.access.refresh_seconds)
        jwt = settings.access.jwt
        self._key_set = None if jwt is None else KeySet(jwt)
        verifier = None if jwt is None or self._key_set is None else TokenVerifier(jwt, self._key_set)
        self.gatekeeper = Gatekeeper(settings.access, self.directory, verifier)
        self.quotas = QuotaKeeper(settings.access, self._ledger(), self.directory.overrides)
        self._writer: RedisWriter | None = None
        entries, claims = self._entries()
        self.cache = ResponseCache(entries, claims, settings.cache)
        self.sharing = Sharing(self.cache, settings.cache)
        self._running = AsyncExitStack()

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            if self._link is not None:
                stack.push_async_callback(self._link.aclose)
            await stack.enter_async_context(self.directory)
            self._check_open_address()
            if self._key_set is not None:
                await stack.enter_async_context(self._key_set)
            await stack.enter_async_context(self.quotas)
            if self._writer is not None:
                await stack.enter_async_context(self._writer)
            await stack.enter_async_context(self.cache)
            stack.push_async_callback(self.sharing.running.aclose)
            self._running = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._running.aclose()

    def shared_state(self) -> SharedState:
        """What is told of them in the metrics."""
        return SharedState(cache=self.cache, quotas=self.quotas, stores=tuple(self.stores))

    def _calls(self, purpose: str) -> StoreCalls:
        assert self._link is not None  # noqa: S101 - this is a bug: asked where Redis is chosen
        calls = self._link.for_purpose(purpose)
        self.stores.append(calls)
        return calls

    def _ledger(self) -> Ledger:
        settings = self._settings
        lease_seconds = settings.access.lease_seconds
        if keeps_keys_in_redis(settings):
            assert self._link is not None  # noqa: S101 - this is a bug: checked with the key store
            return RedisLedger(self._link, settings.redis, lease_seconds=lease_seconds)
        path = Path(settings.access.database).expanduser()
        return EmbeddedLedger(UsageJournal(path), lease_seconds=lease_seconds)

    def _entries(self) -> tuple[EntryStore, Claims]:
        cache, redis = self._settings.cache, self._settings.redis
        if cache.store == "redis" and not redis.url:
            raise ConfigurationError("cache.store is 'redis' and redis.url is empty; set it, or use 'memory'.")
        if cache.store == "redis" or (cache.store == "auto" and redis.url):
            calls = self._calls("cache")
            self._writer = RedisWriter()
            entries = RedisEntries(calls, self._writer, max_entry_bytes=cache.max_entry_bytes)
            return entries, RedisClaims(calls, self._writer)
        return MemoryEntries(max_bytes=cache.max_bytes, max_entry_bytes=cache.max_entry_bytes), MemoryClaims()

    def _check_open_address(self) -> None:
        """Raise ``ConfigurationError`` where callers from elsewhere could come in without a key.

        Only when it is known that there are no keys: a store that does not answer lets nobody in either.
        """
        access, server = self._settings.access, self._settings.server
        if access.anonymous == "everywhere" or access.jwt is not None:
            return
        if not self.directory.loaded or self.directory.has_keys:
            return
        for name in ("host", "admin_host"):
            if not is_loopback(getattr(server, name)):
                raise ConfigurationError(
                    f"server.{name} is not a loopback address and there are no keys: nobody could call, or everybody. "
                    "Make a key with `podium keys create`, listen on 127.0.0.1, or set access.anonymous to "
                    "'everywhere' if the network is trusted."
                )
