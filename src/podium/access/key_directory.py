"""All keys in memory, so that authentication never waits for a store."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Self

import structlog

from podium.access.key_record import KeyRecord
from podium.access.key_store import KeySnapshot, KeySource, StoreVersion
from podium.access.overrides import QuotaOverrides
from podium.aio import tasks
from podium.core.errors import Unavailable

log = structlog.get_logger(__name__)


class KeyDirectory:
    """Follows a store: a change there is seen here within ``refresh_seconds`` and the time of two calls.

    Entering looks once and starts to follow, whether the store answered or not; leaving ends that and
    closes the store. While the store is away, what was known last goes on being true. Keys are never
    deleted, so a key that is missing in the store is kept here and a revocation that is missing there
    still holds: a store that lost its data takes nothing away from those who are served.
    """

    def __init__(self, store: KeySource, refresh_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        self._version: StoreVersion | None = None
        self._records: Mapping[str, KeyRecord] = MappingProxyType({})
        self._overrides = QuotaOverrides()
        self._lost_overrides = QuotaOverrides()
        self._seen_at: float | None = None
        self._answers = True
        self._complete = True

    async def __aenter__(self) -> Self:
        try:
            await self.refresh()
        except BaseException:
            await self._store.aclose()
            raise
        self._task = tasks.start(self._follow(), name="key directory")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await tasks.stop(self._task)
        finally:
            await self._store.aclose()

    @property
    def loaded(self) -> bool:
        """Whether the store was read at least once; before that nobody can be told a wrong key from a right one."""
        return self._seen_at is not None

    @property
    def has_keys(self) -> bool:
        """Whether there is any key, one that ended included: a server that had keys does not open up again."""
        return bool(self._records)

    @property
    def records(self) -> Mapping[str, KeyRecord]:
        """Every key by id; read-only."""
        return self._records

    def find(self, key_id: str) -> KeyRecord | None:
        """The key of that id, valid or not."""
        return self._records.get(key_id)

    def overrides(self) -> QuotaOverrides:
        """Quotas that stand in place of the configured ones."""
        return self._overrides

    def unseen_seconds(self) -> float | None:
        """How long ago the store answered last: how old, at most, what is known here is. None: never."""
        return None if self._seen_at is None else self._clock() - self._seen_at

    async def refresh(self) -> None:
        """Look for changes now; a store that does not answer is logged once, not raised."""
        try:
            if not self.loaded or await self._store.version() != self._version:
                self._take(await self._store.snapshot())
        except Unavailable as error:
            self._note(answers=False, reason=error.message)
        else:
            self._seen_at = self._clock()
            self._note(answers=True)

    async def _follow(self) -> None:
        while True:
            await asyncio.sleep(self._refresh_seconds)
            await self.refresh()

    def _take(self, snapshot: KeySnapshot) -> None:
        if _is_older(snapshot.version, self._version):
            self._lost_overrides = self._overrides
        records = {**self._records}
        for key_id, record in snapshot.records.items():
            known = records.get(key_id)
            if known is None or known.revoked_at is None or record.revoked_at is not None:
                records[key_id] = record
        complete = len(records) == len(snapshot.records) and not _is_older(snapshot.version, self._version)
        self._note_completeness(complete=complete, missing=len(records) - len(snapshot.records))
        self._records = MappingProxyType(records)
        self._overrides = _merged(self._lost_overrides, snapshot.overrides)
        self._version = snapshot.version

    def _note(self, *, answers: bool, reason: str = "") -> None:
        if self._answers and not answers:
            log.error("key store away", what_holds="what was known last", loaded=self.loaded, reason=reason)
        elif answers and not self._answers:
            log.warning("key store back")
        self._answers = answers

    def _note_completeness(self, *, complete: bool, missing: int) -> None:
        if self._complete and not complete:
            log.error(
                "key store lost data",
                missing_keys=missing,
                what_holds="the lost keys, in servers that run now",
                to_do="restore the store, or create the keys again",
            )
        self._complete = complete


def _is_older(version: StoreVersion | None, known: StoreVersion | None) -> bool:
    """Whether a store at ``version`` lost something that it had at ``known``."""
    if known is None:
        return False
    return version is None or version.epoch != known.epoch or version.number < known.number


def _merged(lost: QuotaOverrides, present: QuotaOverrides) -> QuotaOverrides:
    return QuotaOverrides({**lost.tenants, **present.tenants}, {**lost.models, **present.models})
