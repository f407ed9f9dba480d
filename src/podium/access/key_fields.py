"""How keys lie in a store: text fields by name, the same ones in SQLite and in Redis.

::

    epoch            drawn when the store is begun
    number           of writes so far
    key:ID           a record as JSON, without its end
    expires:ID       Unix seconds
    revoked:ID       Unix seconds
    tenant:NAME      quotas as JSON, over the configured ones
    model:NAME       the same

The end of a key has fields of its own, so that a write of its rights cannot take a revocation back.
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping

import msgspec
import structlog

from podium.access import key_record
from podium.access.key_record import KeyRecord
from podium.access.key_store import KeySnapshot, StoreVersion
from podium.access.overrides import OverrideKind, QuotaOverrides
from podium.core.identity import Quotas

log = structlog.get_logger(__name__)

EPOCH, NUMBER = "epoch", "number"
ENDED_LONG_AGO = 0.0
"""The end of a key whose end cannot be read: what cannot be understood opens nothing."""

_MOST_TOLD = 100
_QUOTAS = msgspec.json.Decoder(Quotas)


def key_field(key_id: str) -> str:
    """Where the record is."""
    return f"key:{key_id}"


def expires_field(key_id: str) -> str:
    """Where its expiry is."""
    return f"expires:{key_id}"


def revoked_field(key_id: str) -> str:
    """Where its revocation is."""
    return f"revoked:{key_id}"


def override_field(kind: OverrideKind, name: str) -> str:
    """Where a tenant's or model's quotas are."""
    return f"{kind}:{name}"


def new_epoch() -> str:
    """A name for a store that is being begun."""
    return secrets.token_hex(8)


def rights_of(record: KeyRecord) -> dict[str, bytes]:
    """The fields that change when rights change."""
    endless = msgspec.structs.replace(record, expires_at=None, revoked_at=None)
    return {key_field(record.id): key_record.encode(endless)}


def fields_of(record: KeyRecord) -> dict[str, bytes]:
    """All fields of a new key."""
    fields = rights_of(record)
    if record.expires_at is not None:
        fields[expires_field(record.id)] = time_text(record.expires_at)
    return fields


def time_text(unix_seconds: float) -> bytes:
    """A time as a field."""
    return repr(float(unix_seconds)).encode("ascii")


def quotas_text(quotas: Quotas) -> bytes:
    """Quotas as a field."""
    return msgspec.json.encode(quotas)


def version_of(epoch: bytes | None, number: bytes | None) -> StoreVersion | None:
    """The version of the two fields; None while there is none, or none that can be read."""
    try:
        return StoreVersion((epoch or b"").decode("ascii"), int(number or b""))
    except ValueError:
        return None


class FieldReader:
    """Turns fields into snapshots. Keeps what it decoded, so that one change among many keys costs one record."""

    def __init__(self) -> None:
        self._decoded: dict[str, tuple[bytes, KeyRecord]] = {}
        self._told: set[tuple[str, bytes]] = set()

    def snapshot(self, fields: Mapping[str, bytes]) -> KeySnapshot:
        """The snapshot that ``fields`` are. Fields that cannot be read are left out, and logged once."""
        records: dict[str, KeyRecord] = {}
        decoded: dict[str, tuple[bytes, KeyRecord]] = {}
        quotas: dict[str, dict[str, Quotas]] = {"tenant": {}, "model": {}}
        for field, text in fields.items():
            kind, _, name = field.partition(":")
            if kind == "key":
                record = self._record(field, name, text)
                if record is not None:
                    decoded[field] = (text, record)
                    records[name] = _with_end(record, fields)
            elif kind in quotas:
                found = self._quotas(field, text)
                if found is not None:
                    quotas[kind][name] = found
        self._decoded = decoded
        overrides = QuotaOverrides(quotas["tenant"], quotas["model"])
        return KeySnapshot(version_of(fields.get(EPOCH), fields.get(NUMBER)), records, overrides)

    def _record(self, field: str, key_id: str, text: bytes) -> KeyRecord | None:
        known = self._decoded.get(field)
        if known is not None and known[0] == text:
            return known[1]
        record = key_record.decode(text)
        if record is None or record.id != key_id:
            self._tell(field, text)
            return None
        return record

    def _quotas(self, field: str, text: bytes) -> Quotas | None:
        try:
            return _QUOTAS.decode(text)
        except (msgspec.MsgspecError, UnicodeError, RecursionError):
            self._tell(field, text)
            return None

    def _tell(self, field: str, text: bytes) -> None:
        if (field, text) not in self._told:
            self._told = {(field, text)} if len(self._told) > _MOST_TOLD else self._told | {(field, text)}
            log.error("unreadable entry in the key store", kind=field.partition(":")[0])


def _with_end(record: KeyRecord, fields: Mapping[str, bytes]) -> KeyRecord:
    expires, revoked = fields.get(expires_field(record.id)), fields.get(revoked_field(record.id))
    if expires is None and revoked is None:
        return record
    return msgspec.structs.replace(
        record,
        expires_at=record.expires_at if expires is None else _time(expires),
        revoked_at=record.revoked_at if revoked is None else _time(revoked),
    )


def _time(text: bytes) -> float:
    try:
        seconds = float(text)
    except ValueError:
        return ENDED_LONG_AGO
    return seconds if math.isfinite(seconds) else ENDED_LONG_AGO
