"""Where servers keep what they share, and making keys there as ``podium keys create`` does."""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from podium.access import api_keys
from podium.access.key_record import KeyRecord
from podium.access.key_store import KeyStore
from podium.access.redis_keys import RedisKeyStore
from podium.access.sqlite_keys import SqliteKeyStore
from podium.config.redis import Redis
from podium.core.identity import Quotas, Role
from podium.store.link import RedisLink

PATIENT_SECONDS = 5.0
PLENTY = 2_000_000_000
"""A quota that is counted and never reached."""


@dataclass(frozen=True)
class Place:
    """A SQLite file, or a Redis when ``redis_url`` is given."""

    database: Path
    redis_url: str = ""

    def sections(self) -> dict[str, dict[str, Any]]:
        """The sections of ``podium.yaml`` that name it."""
        redis = {"redis": {"url": self.redis_url}} if self.redis_url else {}
        return {"access": {"database": str(self.database)}, **redis}

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[KeyStore]:
        """The store of keys."""
        if not self.redis_url:
            file = SqliteKeyStore(self.database)
            try:
                yield file
            finally:
                await file.aclose()
            return
        link = RedisLink(Redis(url=self.redis_url, call_seconds=PATIENT_SECONDS, connect_seconds=PATIENT_SECONDS))
        try:
            yield RedisKeyStore(link.for_purpose("keys"))
        finally:
            await link.aclose()


@dataclass(frozen=True)
class Key:
    """A key that was made. ``text`` is what a client sends."""

    id: str
    tenant: str
    text: str = field(repr=False)


@dataclass(frozen=True)
class Wanted:
    """A key to be made."""

    tenant: str
    quotas: Quotas = field(default_factory=Quotas)
    roles: tuple[Role, ...] = ("infer",)


async def add(store: KeyStore, wanted: Wanted) -> Key:
    """Make a key."""
    minted = api_keys.mint()
    await store.add(
        KeyRecord(
            id=minted.id,
            digest=minted.digest,
            tenant=wanted.tenant,
            created_at=time.time(),
            roles=wanted.roles,
            quotas=wanted.quotas,
        )
    )
    return Key(minted.id, wanted.tenant, minted.text)


def make_keys(place: Place, wanted: Sequence[Wanted]) -> list[Key]:
    """Make keys, in that order."""

    async def make() -> list[Key]:
        async with place.open() as store:
            return [await add(store, one) for one in wanted]

    return uvloop.run(make())


def counted_key(place: Place, *roles: Role) -> Key:
    """One key whose requests and tokens are counted against quotas that are never reached."""
    quotas = Quotas(requests_per_minute=PLENTY, tokens_per_minute=PLENTY)
    return make_keys(place, [Wanted("acme", quotas, roles or ("infer",))])[0]
