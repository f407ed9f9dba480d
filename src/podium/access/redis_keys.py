"""Keys in Redis, for replicas on several machines."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from podium.access import key_fields
from podium.access.key_fields import EPOCH, NUMBER, FieldReader
from podium.access.key_record import KeyRecord
from podium.access.key_store import KeySnapshot, StoreVersion, id_taken, no_such_key, store_away, store_refused
from podium.access.overrides import OverrideKind
from podium.core.identity import Quotas
from podium.store.link import StoreCalls, StoreRefused, StoreUnavailable

VERSION_SECONDS = 1.0
CALL_SECONDS = 5.0  # off the request path: a busy Redis, or thousands of keys, may take their time


class RedisKeyStore:
    """A store in one hash, ``PREFIX:{keys}``: it is there as a whole or not at all.

    Every write is one transaction with the version in it, every read one command. Servers need no more than
    read access to the hash.
    """

    def __init__(self, calls: StoreCalls) -> None:
        self._calls = calls
        self._hash = f"{calls.prefix}:{{keys}}"
        self._reader = FieldReader()

    async def version(self) -> StoreVersion | None:
        """See ``KeySource``."""
        found = await self._call("HMGET", self._hash, EPOCH, NUMBER, seconds=VERSION_SECONDS)
        if not isinstance(found, list) or [kind for kind in map(type, found) if kind not in (bytes, type(None))]:
            raise store_away()
        epoch, number = (*found, None, None)[:2]
        return key_fields.version_of(epoch, number)

    async def snapshot(self) -> KeySnapshot:
        """See ``KeySource``."""
        found = await self._call("HGETALL", self._hash, seconds=CALL_SECONDS)
        if not isinstance(found, dict):
            raise store_away()
        texts = {
            field: value for field, value in found.items() if isinstance(field, bytes) and isinstance(value, bytes)
        }
        return self._reader.snapshot({field.decode("utf-8", "replace"): value for field, value in texts.items()})

    async def add(self, record: KeyRecord) -> None:
        """See ``KeyStore``."""
        await self._require_absent(record.id)
        await self._write(self._put(key_fields.fields_of(record)))

    async def rotate(self, successor: KeyRecord, *, old_ends_at: float | None) -> None:
        """See ``KeyStore``."""
        old = successor.rotated_from or ""
        await self._require(old)
        await self._require_absent(successor.id)
        if old_ends_at is None:
            end = self._revoke(old, successor.created_at)
        else:
            end = self._put({key_fields.expires_field(old): key_fields.time_text(old_ends_at)})
        await self._write(self._put(key_fields.fields_of(successor)), end)

    async def change_rights(self, record: KeyRecord) -> None:
        """See ``KeyStore``."""
        await self._require(record.id)
        await self._write(self._put(key_fields.rights_of(record)))

    async def revoke(self, key_id: str, at: float) -> None:
        """See ``KeyStore``."""
        await self._require(key_id)
        await self._write(self._revoke(key_id, at))

    async def set_override(self, kind: OverrideKind, name: str, quotas: Quotas | None) -> None:
        """See ``KeyStore``."""
        field = key_fields.override_field(kind, name)
        if quotas is None:
            await self._write(("HDEL", self._hash, field))
        else:
            await self._write(self._put({field: key_fields.quotas_text(quotas)}))

    async def aclose(self) -> None:
        """The link belongs to whoever made it."""

    def _put(self, fields: dict[str, bytes]) -> tuple[Any, ...]:
        return ("HSET", self._hash, *(part for item in fields.items() for part in item))

    def _revoke(self, key_id: str, at: float) -> tuple[Any, ...]:
        return ("HSETNX", self._hash, key_fields.revoked_field(key_id), key_fields.time_text(at))

    async def _require(self, key_id: str) -> None:
        if not await self._has(key_id):
            raise no_such_key()

    async def _require_absent(self, key_id: str) -> None:
        if await self._has(key_id):
            raise id_taken()

    async def _has(self, key_id: str) -> bool:
        """Keys are never deleted, so a yes stays true; ids are random, so a no does too."""
        return bool(await self._call("HEXISTS", self._hash, key_fields.key_field(key_id), seconds=CALL_SECONDS))

    async def _write(self, *commands: Sequence[Any]) -> None:
        counted = [
            *commands,
            ("HSETNX", self._hash, EPOCH, key_fields.new_epoch()),
            ("HINCRBY", self._hash, NUMBER, 1),
        ]
        with _translated():
            await self._calls.calls(counted, seconds=CALL_SECONDS, transaction=True)

    async def _call(self, *command: Any, seconds: float) -> Any:
        with _translated():
            return await self._calls.call(*command, seconds=seconds)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except StoreRefused as error:
        raise store_refused(error.reason) from error
    except StoreUnavailable as error:
        raise store_away() from error
