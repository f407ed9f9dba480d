"""Keeps requests within quotas: reserves before admission, renews while they run, settles at the end."""

from __future__ import annotations

import asyncio
import secrets
import time
import weakref
from collections import Counter
from collections.abc import Callable, Mapping
from itertools import count
from typing import Self

from podium.access.leases import Lease, Terms
from podium.access.ledger import Ask, Ledger, LedgerFacts, Refused, Settlement
from podium.access.overrides import QuotaOverrides
from podium.access.quotas_plan import Plan, Plans
from podium.access.quotas_refusals import error_of
from podium.access.usage import UsageRow
from podium.aio import tasks
from podium.config.access import Access
from podium.core.errors import RateLimited
from podium.core.identity import Principal
from podium.core.standing import QuotaName, ScopeKind, Standing

BETWEEN_RENEWALS_SECONDS = 0.02
RENEWED_AT_ONCE = 500


class QuotaKeeper:
    """The quotas of all callers of this process, in ``ledger``, which is entered and left with this.

    Leaving settles what still runs with its last progress. ``overrides`` is asked for each request and must be
    cheap; what it returns is looked at anew when it is another object. ``clock`` is monotonic.
    """

    def __init__(
        self,
        settings: Access,
        ledger: Ledger,
        overrides: Callable[[], QuotaOverrides],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._plans = Plans(settings)
        self._ledger = ledger
        self._overrides = overrides
        self._clock = clock
        self._interval_seconds = settings.lease_seconds / 3
        self._live: weakref.WeakValueDictionary[str, Lease] = weakref.WeakValueDictionary()
        self._hurried: weakref.WeakSet[Lease] = weakref.WeakSet()
        self._hurry = asyncio.Event()
        self._process = secrets.token_hex(8)
        self._numbers = count(1)
        self._refusals: Counter[tuple[ScopeKind, QuotaName]] = Counter()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._ledger.__aenter__()
        self._task = tasks.start(self._renew_on(), name="quota leases")
        return self

    async def __aexit__(self, *_: object) -> None:
        try:
            await tasks.stop(self._task)
            for lease in list(self._live.values()):
                lease.settle_as_noted()
        finally:
            await self._ledger.__aexit__(None, None, None)

    def counts_tokens(self, caller: Principal, model: str) -> bool:
        """Whether a reservation needs to know tokens: there is a quota of tokens, or of money and a price."""
        return self._plans.find(caller, model, self._overrides()).counts_tokens

    def refuse_used_up(self, caller: Principal, model: str, *, prompt_tokens: int) -> None:
        """Raises what ``reserve`` raises where it surely would for this many tokens and more. Takes nothing, is cheap.

        For what costs something before its tokens are known. With a shared store only what this process has admitted
        is looked at.
        """
        plan = self._plans.find(caller, model, self._overrides())
        if plan.limits:
            ask = Ask("", plan.payer, plan.limits, plan.amounts(prompt_tokens, 0))
            if (refused := self._ledger.look(ask)) is not None:
                raise self._counted(refused)

    async def reserve(
        self, caller: Principal, model: str, *, request_id: str, prompt_tokens: int, output_tokens: int
    ) -> Lease:
        """Room under every limit of the key, its tenant and the model, for at most this many tokens.

        ``model`` is a name, no alias and no version; ``request_id`` need not be unique. Raises ``RateLimited``,
        or ``QuotaExhausted`` where no wait of a minute helps: a day's quota or a budget is used up, or the request
        alone is larger than a limit. Cancelled, it takes nothing. Without any limit nobody is asked.
        """
        plan = self._plans.find(caller, model, self._overrides())
        terms = Terms(plan.price, prompt_tokens, output_tokens, self._clock())
        return await self._reserve(plan, terms, request_id)

    async def reserve_hit(self, caller: Principal, model: str, *, request_id: str) -> Lease:
        """Room for a request that is answered without computing: it counts as a request, its tokens do not.

        Raises as ``reserve`` does.
        """
        plan = self._plans.find(caller, model, self._overrides())
        terms = Terms(plan.price, 0, 0, self._clock(), cached=True)
        return await self._reserve(plan, terms, request_id)

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> list[UsageRow]:
        """Requests that ended in the last ``since_seconds``, rounded up to whole hours; at most 35 days are kept.

        Raises ``Unavailable``.
        """
        return await self._ledger.usage(since_seconds=since_seconds, tenant=tenant, key_id=key_id)

    @property
    def refusals(self) -> Mapping[tuple[ScopeKind, QuotaName], int]:
        """Requests refused so far, by whose quota it was and which."""
        return self._refusals

    @property
    def degraded(self) -> bool:
        """Whether quotas are this process's share alone, because the shared store is away."""
        return self._ledger.facts().local

    def facts(self) -> LedgerFacts:
        """How the ledger does, for metrics."""
        return self._ledger.facts()

    def settled(self, settlement: Settlement) -> None:
        """A lease of this keeper ended."""
        self._live.pop(settlement.ask.id, None)
        self._ledger.settle((settlement,))

    def hurry(self, lease: Lease) -> None:
        """A lease of this keeper is to be renewed soon."""
        self._hurried.add(lease)
        self._hurry.set()

    async def _reserve(self, plan: Plan, terms: Terms, request_id: str) -> Lease:
        standings: tuple[Standing, ...] = ()
        ask = Ask(f"{request_id}:{self._process}{next(self._numbers):x}", plan.payer)
        if plan.limits:
            amounts = plan.amounts(terms.prompt_tokens, terms.output_tokens)
            ask = Ask(ask.id, plan.payer, plan.limits, amounts, terms.first_declared)
            decision = await self._ledger.reserve(ask)
            if isinstance(decision, Refused):
                raise self._counted(decision)
            standings = decision.standings
        lease = Lease(ask, standings, terms, self)
        self._live[ask.id] = lease
        return lease

    def _counted(self, refused: Refused) -> RateLimited:
        self._refusals[refused.limit.scope, refused.limit.quota] += 1
        return error_of(refused)

    async def _renew_on(self) -> None:
        due = self._clock() + self._interval_seconds
        while True:
            try:
                async with asyncio.timeout(max(0.0, due - self._clock())):
                    await self._hurry.wait()
                leases = list(self._hurried)
            except TimeoutError:
                leases = list(self._live.values())
                due = self._clock() + self._interval_seconds
            self._hurry.clear()
            self._hurried.clear()
            await self._renew(leases)
            await asyncio.sleep(BETWEEN_RENEWALS_SECONDS)

    async def _renew(self, leases: list[Lease]) -> None:
        for start in range(0, max(1, len(leases)), RENEWED_AT_ONCE):
            now = self._clock()
            batch = [
                lease.progress(now, self._interval_seconds)
                for lease in leases[start : start + RENEWED_AT_ONCE]
                if not lease.ended
            ]
            self._ledger.renew(batch)
            await asyncio.sleep(0)  # let requests go on in between
