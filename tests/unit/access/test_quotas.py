"""The keeper of quotas, over the embedded ledger or a ledger that writes down what it is asked."""

from __future__ import annotations

import asyncio
import gc
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Self

import pytest
import uvloop

from podium.access.embedded_ledger import EmbeddedLedger
from podium.access.ledger import Admitted, Ask, Decision, LedgerFacts, Progress, Refused, Settlement, Used
from podium.access.overrides import QuotaOverrides
from podium.access.quotas import QuotaKeeper
from podium.access.usage import UsageRow
from podium.access.usage_journal import UsageJournal
from podium.config.access import Access, Price, QuotaLimits
from podium.core.errors import QuotaExhausted, RateLimited
from podium.core.identity import LOCAL, Principal
from support.ledgers import TestClock

CALLER = Principal(tenant="acme-tenant", key_id="k1-id", roles=frozenset({"infer"}))


@dataclass
class NotebookLedger:
    """Admits everything and writes it down."""

    asks: list[Ask] = field(default_factory=list)
    renewals: list[list[Progress]] = field(default_factory=list)
    settlements: list[Settlement] = field(default_factory=list)
    steps: list[str] = field(default_factory=list)
    renewed: asyncio.Event = field(default_factory=asyncio.Event)

    async def __aenter__(self) -> Self:
        self.steps.append("entered")
        return self

    async def __aexit__(self, *_: object) -> None:
        self.steps.append("left")

    async def reserve(self, ask: Ask) -> Decision:
        self.asks.append(ask)
        return Admitted(())

    def look(self, ask: Ask) -> Refused | None:  # noqa: ARG002 - admits everything
        return None

    def renew(self, batch: Sequence[Progress]) -> None:
        self.renewals.append(list(batch))
        self.renewed.set()

    def settle(self, batch: Sequence[Settlement]) -> None:
        self.settlements.extend(batch)
        self.steps.append("settled")

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> list[UsageRow]:
        return [UsageRow(tenant or "", key_id or "", "", int(since_seconds), 0, 0, 0, 0.0)]

    def facts(self) -> LedgerFacts:
        return LedgerFacts(local=True, live=0, buckets=0, queued=0, dropped=0, failures=0)


@asynccontextmanager
async def _keeper(access: Access, clock: TestClock | None = None) -> AsyncIterator[QuotaKeeper]:
    overrides = QuotaOverrides()
    ledger = EmbeddedLedger(
        UsageJournal(None, pause_seconds=0.001), lease_seconds=access.lease_seconds, clock=clock or TestClock()
    )
    async with QuotaKeeper(access, ledger, lambda: overrides) as keeper:
        yield keeper


async def _reserve(keeper: QuotaKeeper, *, prompt: int = 10, output: int = 20) -> object:
    return await keeper.reserve(CALLER, "echo-model", request_id="req-1", prompt_tokens=prompt, output_tokens=output)


def _refusal(access: Access, *, prompt: int = 10, output: int = 20, admitted: int = 0) -> RateLimited:
    """What the request after ``admitted`` others is told."""

    async def main() -> RateLimited:
        async with _keeper(access) as keeper:
            leases = [await _reserve(keeper, prompt=prompt, output=output) for _ in range(admitted)]
            with pytest.raises(RateLimited) as refusal:
                await _reserve(keeper, prompt=prompt, output=output)
            assert len(leases) == admitted
            return refusal.value

    return uvloop.run(main())


@pytest.mark.parametrize(
    ("quotas", "kind", "wait"),
    [
        (QuotaLimits(requests_per_minute=1), RateLimited, 61),
        (QuotaLimits(tokens_per_minute=40), RateLimited, 1),
        (QuotaLimits(concurrent_requests=1), RateLimited, 1),
        (QuotaLimits(tokens_per_day=40), QuotaExhausted, 1),
        (QuotaLimits(budget_per_day=0.00004), QuotaExhausted, 1),
        (QuotaLimits(budget_per_30_days=0.00004), QuotaExhausted, 1),
    ],
)
def test_each_quota_refuses_in_its_own_way(quotas: QuotaLimits, kind: type[RateLimited], wait: int) -> None:
    prices = {"*": Price(input_per_million=1, output_per_million=1)}
    error = _refusal(Access(key_quotas=quotas, prices=prices), admitted=1)
    assert type(error) is kind
    assert error.retry_after_seconds is not None
    assert wait - 1 <= error.retry_after_seconds <= wait
    assert [standing.quota for standing in error.standings] == [next(iter(quotas.model_dump(exclude_none=True)))]


def test_a_request_larger_than_a_whole_quota_is_told_how_large_and_what_to_do() -> None:
    error = _refusal(Access(tenants={"*": QuotaLimits(tokens_per_minute=1000)}), prompt=900, output=101)
    assert type(error) is QuotaExhausted
    assert error.retry_after_seconds is None
    for part in ("1001 tokens", "1000 tokens", "this tenant", "60 seconds", "max_tokens"):
        assert part in error.message
    assert error.standings[0].remaining == 1000


def test_a_refusal_tells_amount_limit_and_when_to_come_back() -> None:
    error = _refusal(Access(models={"echo-model": QuotaLimits(tokens_per_minute=50)}), admitted=1)
    for part in ("30 tokens", "50 tokens", "this model", "Try again in 1 s", "max_tokens"):
        assert part in error.message
    money = _refusal(
        Access(key_quotas=QuotaLimits(budget_per_day=1), prices={"*": Price(input_per_million=60_000)}), admitted=1
    )
    for part in ("a cost of 0.6.", "a cost of 1 ", "this key", "24 hours"):
        assert part in money.message


@pytest.mark.parametrize("admitted", [0, 1])
def test_no_refusal_names_a_tenant_a_key_or_a_model(admitted: int) -> None:
    most = 40 if admitted else 10
    for access in (
        Access(key_quotas=QuotaLimits(tokens_per_day=most)),
        Access(tenants={"*": QuotaLimits(tokens_per_day=most)}),
        Access(models={"echo-model": QuotaLimits(tokens_per_day=most)}),
    ):
        message = _refusal(access, admitted=admitted).message
        assert not re.search("acme-tenant|k1-id|echo-model|req-1", message)


def test_a_lease_tells_how_the_caller_stands_and_settling_gives_back() -> None:
    async def main() -> None:
        async with _keeper(Access(key_quotas=QuotaLimits(tokens_per_minute=100, concurrent_requests=1))) as keeper:
            for expected in (100 - 30, 100 - 15 - 30):
                lease = await keeper.reserve(CALLER, "m", request_id="r", prompt_tokens=10, output_tokens=20)
                assert {standing.quota: standing.remaining for standing in lease.standings} == {
                    "tokens_per_minute": expected,
                    "concurrent_requests": 0,
                }
                lease.settle(10, 5)

    uvloop.run(main())


def test_a_kept_answer_costs_a_request_and_no_tokens() -> None:
    async def main() -> None:
        access = Access(key_quotas=QuotaLimits(tokens_per_minute=10, requests_per_minute=2))
        async with _keeper(access) as keeper:
            for _ in range(2):
                lease = await keeper.reserve_hit(CALLER, "m", request_id="r")
                lease.settle(500, 500)
            assert [standing.remaining for standing in lease.standings] == [0, 10]
            with pytest.raises(RateLimited):
                await keeper.reserve_hit(CALLER, "m", request_id="r")
            (row,) = await keeper.usage(since_seconds=60)
            assert (row.requests, row.cached_requests, row.prompt_tokens, row.output_tokens) == (2, 2, 0, 0)

    uvloop.run(main())


def test_usage_is_recorded_without_any_limit_and_for_anonymous_callers() -> None:
    async def main() -> None:
        async with _keeper(Access(prices={"m": Price(output_per_million=1_000_000)})) as keeper:
            lease = await keeper.reserve(LOCAL, "m", request_id="r", prompt_tokens=1, output_tokens=10)
            assert lease.standings == ()
            lease.settle(1, 2)
            (row,) = await keeper.usage(since_seconds=60, tenant="anonymous", key_id="anonymous")
            assert (row.requests, row.prompt_tokens, row.output_tokens, row.cost) == (1, 1, 2, 2.0)

    uvloop.run(main())


def test_without_limits_the_ledger_is_not_asked() -> None:
    async def main() -> None:
        ledger, overrides = NotebookLedger(), QuotaOverrides()
        async with QuotaKeeper(Access(), ledger, lambda: overrides) as keeper:
            (await keeper.reserve(CALLER, "m", request_id="r", prompt_tokens=1, output_tokens=1)).settle(1, 1)
        assert (ledger.asks, len(ledger.settlements)) == ([], 1)

    uvloop.run(main())


def test_what_runs_is_renewed_and_what_ended_is_not() -> None:
    async def main() -> None:
        ledger, overrides = NotebookLedger(), QuotaOverrides()
        access = Access(key_quotas=QuotaLimits(tokens_per_day=10**6), lease_seconds=5)
        keeper = QuotaKeeper(access, ledger, lambda: overrides)
        keeper._interval_seconds = 0.02
        async with keeper:
            runs = await keeper.reserve(CALLER, "m", request_id="r", prompt_tokens=1, output_tokens=500)
            ended = await keeper.reserve(CALLER, "m", request_id="r", prompt_tokens=1, output_tokens=500)
            assert runs.ask.id != ended.ask.id
            ended.settle(1, 1)
            runs.note(1, 42)
            await ledger.renewed.wait()
            (progress,) = ledger.renewals[0]
            assert (progress.ask, progress.used, progress.declared) == (runs.ask, Used(1, 42), Used(1, 42 + 256))
            ledger.renewed.clear()
            await ledger.renewed.wait()
            runs.settle(1, 50)
            ledger.renewals.clear()
            ledger.renewed.clear()
            await ledger.renewed.wait()
            assert ledger.renewals[0] == []  # old things go also when nothing runs

    uvloop.run(main())


def test_a_fast_request_is_renewed_before_its_time() -> None:
    async def main() -> None:
        ledger, overrides = NotebookLedger(), QuotaOverrides()
        access = Access(key_quotas=QuotaLimits(tokens_per_day=10**6), lease_seconds=60)
        async with QuotaKeeper(access, ledger, lambda: overrides) as keeper:
            slow = await keeper.reserve(CALLER, "m", request_id="r", prompt_tokens=1, output_tokens=5000)
            fast = await keeper.reserve(CALLER, "m", request_id="r", prompt_tokens=1, output_tokens=5000)
            fast.note(1, 200)
            async with asyncio.timeout(5):
                await ledger.renewed.wait()
            assert [progress.ask for progress in ledger.renewals[0]] == [fast.ask]
            assert not slow.ended

    uvloop.run(main())


def test_leaving_settles_what_still_runs_before_the_ledger_is_left() -> None:
    async def main() -> None:
        ledger, overrides = NotebookLedger(), QuotaOverrides()
        async with QuotaKeeper(Access(), ledger, lambda: overrides) as keeper:
            lease = await keeper.reserve(CALLER, "m", request_id="r", prompt_tokens=9, output_tokens=9)
            lease.note(9, 3)
        lease.settle(9, 9)
        assert ledger.steps == ["entered", "settled", "left"]
        assert [settlement.used for settlement in ledger.settlements] == [Used(9, 3)]

    uvloop.run(main())


def test_a_lease_that_is_dropped_unsettled_is_not_kept_alive() -> None:
    async def main() -> None:
        clock = TestClock()
        access = Access(key_quotas=QuotaLimits(concurrent_requests=1), lease_seconds=30)
        async with _keeper(access, clock) as keeper:
            await _reserve(keeper)
            gc.collect()
            clock.advance(31)
            await _reserve(keeper)

    uvloop.run(main())


def test_usage_and_facts_are_the_ledgers() -> None:
    async def main() -> None:
        ledger, overrides = NotebookLedger(), QuotaOverrides()
        async with QuotaKeeper(Access(), ledger, lambda: overrides) as keeper:
            (row,) = await keeper.usage(since_seconds=7, tenant="t", key_id="k")
            assert (row.tenant, row.key_id, row.requests) == ("t", "k", 7)
            assert keeper.facts() == ledger.facts()

    uvloop.run(main())
