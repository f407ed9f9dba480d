"""All or nothing, under every limit at once."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from podium.access.ledger import Admitted, Refused
from podium.access.windows import HELD_SECONDS
from support.ledgers import LedgerSubject, admitted, ask, limit, refused, settle, told, used_of

REQUESTS = limit("requests_per_minute", 3)
TOKENS = limit("tokens_per_minute", 1000)
TENANT_TOKENS = limit("tokens_per_day", 5000, scope="tenant", name="acme")
LIVE = limit("concurrent_requests", 2, scope="model", name="echo")
MONEY = limit("budget_per_day", 2_500_000)


def test_a_refusal_takes_nothing_of_any_limit(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            full = ask((REQUESTS, 1), (TENANT_TOKENS, 900), (LIVE, 1), (MONEY, 100), (TOKENS, 900))
            await admitted(ledger, full)
            again = ask((REQUESTS, 1), (TENANT_TOKENS, 900), (LIVE, 1), (MONEY, 100), (TOKENS, 101))
            assert (await refused(ledger, again)).limit == TOKENS
            standings = (
                await admitted(ledger, ask((REQUESTS, 1), (TENANT_TOKENS, 1), (LIVE, 1), (MONEY, 1)))
            ).standings
            assert [standing.limit - standing.remaining for standing in standings] == [2, 901, 2, pytest.approx(101e-6)]

    uvloop.run(main())


def test_a_look_refuses_what_surely_has_no_room_and_takes_nothing(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            assert ledger.look(ask((REQUESTS, 1), (TOKENS, 1000))) is None
            await admitted(ledger, ask((REQUESTS, 1), (TOKENS, 999)))
            assert ledger.look(ask((REQUESTS, 1), (TOKENS, 1))) is None
            too_much = ask((REQUESTS, 1), (TOKENS, 2))
            certain = ledger.look(too_much)
            assert certain is not None
            assert certain.limit == (await refused(ledger, too_much)).limit == TOKENS
            assert await used_of(ledger, TOKENS) == 999
            assert await used_of(ledger, REQUESTS) == 1

    uvloop.run(main())


def test_requests_are_charged_at_once_and_leave_after_the_minute(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            for _ in range(3):
                one = ask((REQUESTS, 1))
                await admitted(ledger, one)
                settle(ledger, one)
            await told(ledger)
            wait = (await refused(ledger, ask((REQUESTS, 1)))).retry_after_seconds
            assert wait is not None
            assert 60 < wait <= 61
            subject.advance(wait - 0.001)
            await refused(ledger, ask((REQUESTS, 1)))
            subject.advance(0.001)
            await admitted(ledger, ask((REQUESTS, 1)))

    uvloop.run(main())


def test_what_was_held_and_not_used_is_free_at_the_end_and_the_rest_counts_from_then(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            first = ask((TOKENS, 1000))
            await admitted(ledger, first)
            assert await used_of(ledger, TOKENS) == 1000
            subject.advance(25)
            settle(ledger, first, prompt=100, output=200)
            await told(ledger)
            assert await used_of(ledger, TOKENS) == 300
            assert (await refused(ledger, ask((TOKENS, 701)))).retry_after_seconds == pytest.approx(61, abs=1)
            subject.advance(59)
            assert await used_of(ledger, TOKENS) == 300
            subject.advance(2)
            assert await used_of(ledger, TOKENS) == 0

    uvloop.run(main())


def test_concurrency_is_the_number_of_requests_that_run(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            first, second = ask((LIVE, 1)), ask((LIVE, 1))
            await admitted(ledger, first)
            await admitted(ledger, second)
            assert (await refused(ledger, ask((LIVE, 1)))).retry_after_seconds == HELD_SECONDS
            settle(ledger, first)
            await admitted(ledger, ask((LIVE, 1)))  # at once, although the news of the end are on their way

    uvloop.run(main())


def test_a_request_larger_than_a_limit_is_told_that_it_never_fits(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            decision = await refused(ledger, ask((REQUESTS, 1), (TOKENS, 1001)))
            assert decision.retry_after_seconds is None
            assert (decision.limit, decision.amount) == (TOKENS, 1001)
            assert [standing.remaining for standing in decision.standings] == [3, 1000]

    uvloop.run(main())


def test_the_refusal_names_the_limit_with_the_longest_wait(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            daily = limit("tokens_per_day", 1000)
            first = ask((TOKENS, 1000), (daily, 1000))
            await admitted(ledger, first)
            settle(ledger, first, output=1000)
            await told(ledger)
            decision = await refused(ledger, ask((TOKENS, 1), (daily, 1)))
            assert decision.limit == daily
            assert decision.retry_after_seconds is not None
            assert 86_400 < decision.retry_after_seconds <= 86_400 + 900

    uvloop.run(main())


def test_an_amount_of_nothing_is_admitted_under_a_limit_that_is_used_up(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            await admitted(ledger, ask((TOKENS, 1000)))
            smaller = limit("tokens_per_minute", 10)  # lowered since
            standing = (await admitted(ledger, ask((smaller, 0), (REQUESTS, 1)))).standings[0]
            assert (standing.limit, standing.remaining) == (10, 0)

    uvloop.run(main())


def test_a_changed_limit_sees_what_was_used_before(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            await admitted(ledger, ask((TOKENS, 600)))
            await refused(ledger, ask((TOKENS, 401)))
            await admitted(ledger, ask((limit("tokens_per_minute", 2000), 1400)))

    uvloop.run(main())


def test_keys_tenants_and_models_of_one_name_are_counted_apart(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            for scope in ("key", "tenant", "model"):
                own = limit("tokens_per_minute", 100, scope=scope, name="same")
                await admitted(ledger, ask((own, 100)))

    uvloop.run(main())


def test_of_many_at_once_exactly_those_that_fit_are_admitted(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            both = [(TOKENS, 70), (limit("tokens_per_minute", 2000, scope="tenant", name="acme"), 70)]
            decisions = await asyncio.gather(*(ledger.reserve(ask(*both)) for _ in range(60)))
            assert sum(isinstance(decision, Admitted) for decision in decisions) == 14
            assert sum(isinstance(decision, Refused) for decision in decisions) == 46
            assert await used_of(ledger, TOKENS) == 980

    uvloop.run(main())


def test_money_is_exact_to_the_micro_unit(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            first = ask((MONEY, 2_499_999))
            await admitted(ledger, first)
            settle(ledger, first, micro=2_499_998)
            await told(ledger)
            await refused(ledger, ask((MONEY, 3)))
            standing = (await admitted(ledger, ask((MONEY, 2)))).standings[0]
            assert (standing.limit, standing.remaining, standing.window_seconds) == (2.5, 0, 86_400)

    uvloop.run(main())


def test_standings_tell_when_all_is_free_again(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            first = ask((TOKENS, 500), (REQUESTS, 1), (LIVE, 1))
            tokens, requests, live = (await admitted(ledger, first)).standings
            assert 60 < tokens.reset_seconds <= 61
            assert 60 < requests.reset_seconds <= 61
            assert (live.reset_seconds, live.window_seconds) == (HELD_SECONDS, 0)
            settle(ledger, first, output=10)
            await told(ledger)
            subject.advance(31)
            tokens = (await refused(ledger, ask((TOKENS, 1001)))).standings[0]
            assert 29 < tokens.reset_seconds <= 30

    uvloop.run(main())
