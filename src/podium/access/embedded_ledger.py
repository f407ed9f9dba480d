"""Quotas and usage of one process by itself."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Self

from podium.access.ledger import Ask, Decision, LedgerFacts, Limit, Progress, Refused, Settlement
from podium.access.ledger_windows import LedgerWindows
from podium.access.usage import Tally, UsageRow
from podium.access.usage_journal import UsageJournal


class EmbeddedLedger:
    """Windows in memory; usage in ``journal``, from which the windows of a day and more are filled at the start.

    Minute windows and holds begin empty in a new process. ``clock`` is monotonic, in seconds: a change of the
    wall clock moves no window.
    """

    def __init__(
        self, journal: UsageJournal, *, lease_seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._journal = journal
        self._windows = LedgerWindows(lease_seconds, clock=clock, on_ended=self._lease_ended)

    async def __aenter__(self) -> Self:
        for past in await self._journal.open():
            limit = Limit.of(past.quota, past.scope, past.name, 0)
            self._windows.seed(limit, past.amount, age_seconds=past.age_seconds)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._journal.aclose()

    async def reserve(self, ask: Ask) -> Decision:
        """See ``Ledger``; does not wait either."""
        return self._windows.reserve(ask)

    def look(self, ask: Ask) -> Refused | None:
        """See ``Ledger``."""
        return self._windows.look(ask)

    def renew(self, batch: Sequence[Progress]) -> None:
        """See ``Ledger``."""
        for progress in batch:
            self._windows.renew(progress)
            self._journal.note(progress.ask.id, progress.ask.payer, progress.used)
        self._windows.tidy()

    def settle(self, batch: Sequence[Settlement]) -> None:
        """See ``Ledger``."""
        for settlement in batch:
            ask = settlement.ask
            usage = self._windows.settle(settlement)
            if usage is None:
                if ask.limits:  # settled before
                    continue
                usage = settlement.tally
            self._journal.add(ask.id, ask.payer, usage)

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> list[UsageRow]:
        """See ``Ledger``; settlements of this moment are included."""
        return await self._journal.usage(since_seconds=since_seconds, tenant=tenant, key_id=key_id)

    def facts(self) -> LedgerFacts:
        """See ``Ledger``."""
        return LedgerFacts(
            local=False,
            live=self._windows.live,
            buckets=self._windows.buckets,
            queued=self._journal.pending,
            dropped=self._journal.dropped,
            failures=self._journal.failures,
        )

    def _lease_ended(self, ask: Ask, usage: Tally) -> None:
        self._journal.add(ask.id, ask.payer, usage)
