"""What is kept of a key, and the principal that it stands for."""

from __future__ import annotations

import re
from typing import Annotated

import msgspec

from podium.core.identity import ANONYMOUS_TENANT, Principal, Quotas, Role

NAME_PATTERN = r"\A[A-Za-z0-9][A-Za-z0-9._@-]{0,127}\Z"
_NAME = re.compile(NAME_PATTERN)

KeyId = Annotated[str, msgspec.Meta(pattern=r"\A[0-9a-f]{16}\Z")]
Digest = Annotated[bytes, msgspec.Meta(min_length=32, max_length=32)]
TenantName = Annotated[str, msgspec.Meta(pattern=NAME_PATTERN)]


class KeyRecord(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """One key, without its secret. Times are Unix seconds; None is never.

    A record is never deleted: a key ends by ``revoked_at`` or ``expires_at``, so that one that is missing from
    a store means a store that lost data. ``rotated_from`` is the key that this one replaces,
    ``allowance`` the first key of that line: all of them use one allowance, also while two are valid.
    A member that this version does not know makes the record invalid, since it may be a restriction.
    """

    id: KeyId
    digest: Digest
    tenant: TenantName
    created_at: float
    roles: tuple[Role, ...] = ("infer",)
    models: tuple[str, ...] | None = None
    quotas: Quotas = Quotas()
    weight: Annotated[float, msgspec.Meta(gt=0)] = 1.0
    priority: int = 0
    note: str = ""
    expires_at: float | None = None
    revoked_at: float | None = None
    rotated_from: KeyId | None = None
    allowance: KeyId | None = None

    def is_valid(self, now: float) -> bool:
        """Whether the key opens anything at ``now`` (Unix seconds)."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def state(self, now: float) -> str:
        """``active``, ``expired`` or ``revoked`` at ``now`` (Unix seconds)."""
        if self.revoked_at is not None:
            return "revoked"
        return "active" if self.is_valid(now) else "expired"


def is_tenant_name(text: str) -> bool:
    """Whether a tenant may be called ``text``; the name of callers without a key is not for those with one."""
    return bool(_NAME.match(text)) and text != ANONYMOUS_TENANT


def principal(record: KeyRecord) -> Principal:
    """Who calls with the key of ``record``, valid or not."""
    return Principal(
        tenant=record.tenant,
        key_id=record.id,
        roles=frozenset(record.roles),
        models=None if record.models is None else frozenset(record.models),
        quotas=record.quotas,
        weight=record.weight,
        priority=record.priority,
        allowance=record.allowance,
    )


def encode(record: KeyRecord) -> bytes:
    """``record`` as JSON."""
    return msgspec.json.encode(record)


def decode(text: bytes | str) -> KeyRecord | None:
    """The record of a JSON text; None for anything else, such as what another program or version wrote."""
    try:
        return _DECODER.decode(text)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


_DECODER = msgspec.json.Decoder(KeyRecord)
