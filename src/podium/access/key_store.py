"""What a place for keys must do, whichever it is."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podium.access.key_record import KeyRecord
from podium.access.overrides import OverrideKind, QuotaOverrides
from podium.core.errors import Conflict, NotFound, Unavailable
from podium.core.identity import Quotas


class StoreVersion(msgspec.Struct, frozen=True):
    """How far a store is: ``number`` grows with every write, ``epoch`` is drawn when a store is begun.

    A smaller number, another epoch, or no version at all mean that what was there before is lost.
    """

    epoch: str
    number: int


class KeySnapshot(msgspec.Struct, frozen=True):
    """Everything in a store at one version. ``version`` None: nothing was ever written."""

    version: StoreVersion | None = None
    records: dict[str, KeyRecord] = {}
    overrides: QuotaOverrides = QuotaOverrides()


class KeySource(Protocol):
    """A store as servers see it. Every method may raise ``Unavailable``; cancelling one loses nothing."""

    async def version(self) -> StoreVersion | None:
        """The version, cheap enough to be asked several times a second."""

    async def snapshot(self) -> KeySnapshot:
        """All records and overrides, as of one version. Entries that cannot be read are left out and logged."""

    async def aclose(self) -> None:
        """Let go of files and threads. Idempotent."""


class KeyStore(KeySource, Protocol):
    """A store as an administrator sees it.

    Each write is atomic, and on disk or acknowledged when it returns; one that raises ``Unavailable`` or
    is cancelled may have happened. Writes of different kinds never undo each other: changing rights never
    takes a revocation back.
    """

    async def add(self, record: KeyRecord) -> None:
        """Keep a new key. Raises ``Conflict`` when its id is taken."""

    async def rotate(self, successor: KeyRecord, *, old_ends_at: float | None) -> None:
        """Keep ``successor`` and end the key that it replaces, in one step.

        The old key expires at ``old_ends_at`` (Unix seconds), or is revoked at once for None. Raises
        ``Conflict`` or ``NotFound``.
        """

    async def change_rights(self, record: KeyRecord) -> None:
        """Put roles, models, quotas, weight, priority and note of a known key. Its end stays what it is in the store.

        Of two at the same time the later one holds. Raises ``NotFound``.
        """

    async def revoke(self, key_id: str, at: float) -> None:
        """End a key for ever; of several times the first one stays. Raises ``NotFound``."""

    async def set_override(self, kind: OverrideKind, name: str, quotas: Quotas | None) -> None:
        """Put quotas of a tenant or model over the configured ones; None lets the configured ones hold again."""


def store_away() -> Unavailable:
    """The store cannot be asked now."""
    return Unavailable(
        "The key store does not answer. Check that it is there and that this user may read and write it "
        "(redis.url, or the file and folder of access.database), then try again."
    )


def store_refused(code: str) -> Unavailable:
    """The store was asked and said no; ``code`` is its own word for why, such as ``NOPERM``."""
    reason = code if code.isalpha() and code.isupper() else "an error"
    return Unavailable(
        f"The key store refused with {reason}. Check what this user may do there and whether it has room, "
        "then try again."
    )


def id_taken() -> Conflict:
    """A new key has the id of another one."""
    return Conflict("The store holds a key with that id already. Create the key again; it gets another id.")


def no_such_key() -> NotFound:
    """No key has that id."""
    return NotFound("No key has that id. `podium keys list` shows them.")
