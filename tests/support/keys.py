"""Keys and key stores for tests."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from podium.access import api_keys
from podium.access.key_record import KeyRecord
from podium.access.key_store import KeyStore
from podium.access.redis_keys import RedisKeyStore
from podium.access.sqlite_keys import SqliteKeyStore
from podium.config.redis import Redis
from podium.store.link import RedisLink
from support.redis import RedisServer

NOW = 1_800_000_000.0


def new_key(**members: Any) -> tuple[str, KeyRecord]:
    """A key's text and its record."""
    minted = api_keys.mint()
    return minted.text, KeyRecord(
        **{"id": minted.id, "digest": minted.digest, "tenant": "acme", "created_at": NOW, **members}
    )


class StoreSubject(Protocol):
    """A place for keys under test, of which several stores can be opened at a time, as several processes would."""

    def open(self) -> contextlib.AbstractAsyncContextManager[KeyStore]:
        """A store of its own, closed at the end."""

    def put(self, field: str, value: bytes) -> None:
        """Write a field past the store, as another program would."""

    def begin_anew(self) -> None:
        """Lose everything."""

    def content(self) -> bytes:
        """Every byte that is kept."""


@dataclass
class SqliteSubject:
    path: Path

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[KeyStore]:
        store = SqliteKeyStore(self.path)
        try:
            yield store
        finally:
            await store.aclose()

    def put(self, field: str, value: bytes) -> None:
        with contextlib.closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute("INSERT OR REPLACE INTO key_fields VALUES (?, ?)", (field, value))
            connection.execute("UPDATE key_fields SET value = value + 1 WHERE field = 'number'")

    def begin_anew(self) -> None:
        for path in self.path.parent.glob(f"{self.path.name}*"):
            path.unlink()

    def content(self) -> bytes:
        return b"".join(path.read_bytes() for path in self.path.parent.glob(f"{self.path.name}*"))


@dataclass
class RedisSubject:
    server: RedisServer

    @contextlib.asynccontextmanager
    async def open(self) -> AsyncIterator[KeyStore]:
        link = RedisLink(Redis(url=self.server.url, call_seconds=2.0, connect_seconds=2.0))
        store = RedisKeyStore(link.for_purpose("keys"))
        try:
            yield store
        finally:
            await store.aclose()
            await link.aclose()

    def put(self, field: str, value: bytes) -> None:
        with self.server.client() as client:
            client.hset("podium:{keys}", field, value)
            client.hincrby("podium:{keys}", "number", 1)

    def begin_anew(self) -> None:
        with self.server.client() as client:
            client.flushall()

    def content(self) -> bytes:
        with self.server.client() as client:
            fields: dict[bytes, bytes] = client.hgetall("podium:{keys}")
            assert client.dbsize() == (1 if fields else 0), "keys lie in one hash"
            return b"".join(part for item in fields.items() for part in item)
