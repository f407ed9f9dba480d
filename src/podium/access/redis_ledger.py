"""Quotas and usage that many processes share, in Redis."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

import msgspec

from podium.access import redis_ledger_wire as wire
from podium.access.ledger import Admitted, Ask, Decision, LedgerFacts, Progress, Refused, Settlement
from podium.access.ledger_windows import LedgerWindows
from podium.access.redis_ledger_outbox import Outbox
from podium.access.usage import HOUR_SECONDS, KEPT_SECONDS, Payer, Tally, UsageRow, usage_rows
from podium.config.redis import Redis as RedisSettings
from podium.core.errors import Unavailable
from podium.store.link import RedisLink, StoreRefused, StoreUnavailable

VOID_AFTER_SECONDS = 0.5  # beyond the longest wait of a call: nobody waits for the answer any more
CATCH_UP_SECONDS = 0.05
USAGE_CALL_SECONDS = 5.0
HOURS_OF_A_CALL = 24


class RedisLedger:
    """Every decision is one call of a function in the store, which takes all or nothing in one step.

    The store away, or without the functions: this process decides by itself, with ``limit / replicas`` (the
    processes that were last seen in the store, at least 1) over what it has itself admitted lately, until the
    store answers again. What it admitted meanwhile is held and charged there then. ``link`` stays its maker's
    to close, after this is left. ``clock`` is monotonic; the store's own time moves its windows.
    """

    def __init__(
        self,
        link: RedisLink,
        settings: RedisSettings,
        *,
        lease_seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._calls = link.for_purpose("ledger")
        self._keys = wire.LedgerKeys(link.prefix)
        self._lease_seconds = lease_seconds
        self._void_after_ms = 1000 * (settings.call_seconds + settings.connect_seconds + VOID_AFTER_SECONDS)
        self._own = LedgerWindows(lease_seconds, clock=clock)
        self._outbox = Outbox(
            self._calls, self._keys, process=secrets.token_hex(8), lease_seconds=lease_seconds, clock=clock
        )
        self._local_decisions = 0
        self._garbage = 0

    async def __aenter__(self) -> Self:
        await self._outbox.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._outbox.stop()

    async def reserve(self, ask: Ask) -> Decision:
        """See ``Ledger``. One round trip; a second one only where this process' own news may free the room."""
        decision = await self._ask(ask)
        if isinstance(decision, Refused) and not decision.local and self._outbox.concerns(decision.limit.bucket):
            try:
                async with asyncio.timeout(CATCH_UP_SECONDS):
                    await self._outbox.tell_now()
            except (StoreUnavailable, TimeoutError):
                return decision
            decision = await self._ask(ask)
        return decision

    def look(self, ask: Ask) -> Refused | None:
        """See ``Ledger``: what this process has admitted is a part of what the store knows of."""
        return self._own.look(ask)

    def renew(self, batch: Sequence[Progress]) -> None:
        """See ``Ledger``."""
        for progress in batch:
            self._own.renew(progress)
            self._outbox.renew(progress)
        self._own.tidy()

    def settle(self, batch: Sequence[Settlement]) -> None:
        """See ``Ledger``."""
        for settlement in batch:
            ask = settlement.ask
            if self._own.settle(settlement) is not None:
                self._outbox.settle(settlement)
            elif not ask.limits:
                self._outbox.count(ask.payer, settlement.tally)

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> list[UsageRow]:
        """See ``Ledger``; what other processes have not told yet is missing."""
        found: list[tuple[Payer, Tally]] = []
        try:
            await self._outbox.tell_now(say_something=True)
            commands = [("HGETALL", self._keys.usage(hour)) for hour in self._hours(since_seconds)]
            for start in range(0, len(commands), HOURS_OF_A_CALL):  # the store serves others in between
                answers = await self._calls.calls(commands[start : start + HOURS_OF_A_CALL], seconds=USAGE_CALL_SECONDS)
                found.extend(pair for answer in answers for pair in wire.read_usage(answer))
        except (StoreUnavailable, wire.Garbage) as error:
            raise Unavailable("Usage is kept in the shared store, which does not answer. Try again later.") from error
        return usage_rows(found, tenant=tenant, key_id=key_id)

    def facts(self) -> LedgerFacts:
        """See ``Ledger``."""
        outbox = self._outbox
        return LedgerFacts(
            local=not outbox.functions.usable or self._calls.state != "closed",
            live=self._own.live,
            buckets=self._own.buckets,
            queued=outbox.queued,
            dropped=outbox.dropped,
            failures=outbox.failures + self._garbage,
            local_decisions=self._local_decisions,
            replicas=outbox.replicas,
        )

    async def _ask(self, ask: Ask) -> Decision:
        if not self._outbox.functions.usable:
            return self._decide(ask)
        asked = self._calls.state == "closed"
        try:
            decision = self._read(ask, await self._calls.call(*self._command(ask)))
        except StoreRefused:
            self._outbox.look_again()
            return self._decide(ask)
        except (StoreUnavailable, wire.Garbage):
            return self._decide(ask, maybe_taken=asked)
        except BaseException:  # cancelled: it may have been taken
            self._outbox.forget(ask)
            raise
        if decision is None:
            return self._decide(ask)
        if isinstance(decision, Admitted):
            self._own.hold(ask)
        return decision

    def _command(self, ask: Ask) -> list[Any]:
        now_ms = self._outbox.store_ms()
        latest_ms = 0 if now_ms is None else int(now_ms + self._void_after_ms)
        return wire.reserve_command(self._keys, ask, lease_seconds=self._lease_seconds, latest_ms=latest_ms)

    def _read(self, ask: Ask, answer: Any) -> Decision | None:
        try:
            store_ms, decision = wire.read_reserve(ask, answer)
        except wire.Garbage:
            self._garbage += 1
            raise
        self._outbox.heard(store_ms)
        return None if decision == "void" else decision

    def _decide(self, ask: Ask, *, maybe_taken: bool = False) -> Decision:
        """By this process' own windows. Whatever the store took meanwhile is found there when this is settled."""
        self._local_decisions += 1
        decision = self._own.reserve(ask, share=self._outbox.replicas)
        if isinstance(decision, Refused) and maybe_taken:
            self._outbox.forget(ask)
        return msgspec.structs.replace(decision, local=True)

    def _hours(self, since_seconds: float) -> range:
        now = (self._outbox.store_ms() or 0) / 1000
        first = now - min(since_seconds, KEPT_SECONDS)
        return range(int(first // HOUR_SECONDS), int(now // HOUR_SECONDS) + 2)
