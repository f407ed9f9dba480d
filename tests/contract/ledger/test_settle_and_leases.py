"""A request ends once: by being settled, or by its lease."""

from __future__ import annotations

import uvloop

from podium.access.ledger import Settlement, Used
from podium.access.usage import Payer
from support.ledgers import LEASE_SECONDS, LedgerSubject, admitted, ask, limit, refused, renew, settle, told, used_of

TOKENS = limit("tokens_per_minute", 1000)
DAY = limit("tokens_per_day", 10_000)
LIVE = limit("concurrent_requests", 1)
HOUR = 3600.0


def test_settling_twice_is_settling_once(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            first, other = ask((TOKENS, 500), (LIVE, 1)), ask((TOKENS, 300))
            await admitted(ledger, first)
            await admitted(ledger, other)
            for _ in range(3):
                settle(ledger, first, output=100)
                await told(ledger)
            assert await used_of(ledger, TOKENS) == 400
            assert [row.requests for row in await ledger.usage(since_seconds=HOUR)] == [1]

    uvloop.run(main())


def test_a_lease_that_is_not_renewed_charges_what_was_declared_and_frees_the_rest(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            dead = ask((DAY, 5000), (LIVE, 1), declared=Used(20, 50))
            await admitted(ledger, dead)
            subject.advance(LEASE_SECONDS - 1)
            await refused(ledger, ask((LIVE, 1)))
            renew(ledger, dead, used=100, declared=180)
            await told(ledger)
            subject.advance(LEASE_SECONDS - 1)
            await refused(ledger, ask((LIVE, 1)))
            subject.advance(1)
            await admitted(ledger, ask((LIVE, 1)))
            assert await used_of(ledger, DAY) == 180

    uvloop.run(main())


def test_a_request_that_was_never_renewed_is_charged_what_it_declared_first(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            await admitted(ledger, ask((DAY, 5000), declared=Used(20, 50)))
            subject.advance(LEASE_SECONDS)
            assert await used_of(ledger, DAY) == 70

    uvloop.run(main())


def test_usage_of_a_lease_that_ended_is_what_was_used_for_sure(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            dead = ask((DAY, 5000))
            await admitted(ledger, dead)
            renew(ledger, dead, used=100, declared=180)
            await told(ledger)
            subject.advance(LEASE_SECONDS)
            ledger.renew([])
            await used_of(ledger, DAY)
            row = (await ledger.usage(since_seconds=HOUR))[0]
            assert (row.requests, row.output_tokens) == (1, 100)

    uvloop.run(main())


def test_an_end_that_comes_after_the_lease_counts_only_what_is_new(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            late = ask((DAY, 5000), (LIVE, 1))
            await admitted(ledger, late)
            renew(ledger, late, used=100, declared=180)
            await told(ledger)
            subject.advance(LEASE_SECONDS + 1)
            assert await used_of(ledger, DAY) == 180
            for _ in range(2):
                settle(ledger, late, output=400)
                await told(ledger)
            assert await used_of(ledger, DAY) == 400
            row = (await ledger.usage(since_seconds=HOUR))[0]
            assert (row.requests, row.output_tokens) == (1, 400)

    uvloop.run(main())


def test_a_request_that_lives_on_after_its_lease_holds_again_what_it_may_still_use(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            paused = ask((DAY, 5000), (LIVE, 1))
            await admitted(ledger, paused)
            renew(ledger, paused, used=100, declared=180)
            await told(ledger)
            subject.advance(LEASE_SECONDS + 1)
            assert await used_of(ledger, DAY) == 180
            renew(ledger, paused, used=300, declared=500)
            await told(ledger)
            assert await used_of(ledger, DAY) == 5000
            await refused(ledger, ask((LIVE, 1)))
            settle(ledger, paused, output=600)
            await told(ledger)
            assert await used_of(ledger, DAY) == 600
            row = (await ledger.usage(since_seconds=HOUR))[0]
            assert (row.requests, row.output_tokens) == (1, 600)
            await admitted(ledger, ask((LIVE, 1)))

    uvloop.run(main())


def test_a_lease_that_ends_twice_charges_no_token_twice(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            paused = ask((DAY, 5000))
            await admitted(ledger, paused)
            for used, declared in ((100, 180), (300, 420)):
                renew(ledger, paused, used=used, declared=declared)
                await told(ledger)
                subject.advance(LEASE_SECONDS + 1)
                assert await used_of(ledger, DAY) == declared
            row = (await ledger.usage(since_seconds=HOUR))[0]
            assert (row.requests, row.output_tokens) == (1, 300)

    uvloop.run(main())


def test_usage_is_told_by_payer_and_filtered(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            for tenant, key, model, output in (("a", "k1", "m", 1), ("a", "k2", "m", 2), ("b", "k3", 'odd"name', 4)):
                for _ in range(2):
                    free = ask(payer=Payer(tenant, key, model))
                    settle(ledger, free, prompt=10, output=output, micro=5)
            ledger.settle([Settlement(ask(payer=Payer("b", "k3", 'odd"name')), Used(), cached=True)])
            rows = await ledger.usage(since_seconds=HOUR)
            assert [(row.tenant, row.key_id, row.requests, row.output_tokens) for row in rows] == [
                ("a", "k1", 2, 2),
                ("a", "k2", 2, 4),
                ("b", "k3", 3, 8),
            ]
            assert (rows[2].model, rows[2].cached_requests, rows[2].cost, rows[2].prompt_tokens) == (
                'odd"name',
                1,
                10e-6,
                20,
            )
            assert await ledger.usage(since_seconds=HOUR, tenant="a") == rows[:2]
            assert await ledger.usage(since_seconds=HOUR, key_id="k3") == rows[2:]
            assert await ledger.usage(since_seconds=HOUR, tenant="c") == []

    uvloop.run(main())


def test_a_request_without_limits_that_is_cut_off_is_in_the_usage(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            free = ask()
            renew(ledger, free, used=70)
            await told(ledger)
            subject.advance(LEASE_SECONDS + 1)
            await admitted(ledger, ask((TOKENS, 1)))
            rows = await ledger.usage(since_seconds=HOUR)
            assert [(row.requests, row.output_tokens) for row in rows] == [(1, 70)]

    uvloop.run(main())


def test_a_request_without_limits_that_was_renewed_and_settled_counts_once(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            free = ask()
            renew(ledger, free, used=70)
            settle(ledger, free, output=90)
            await told(ledger)
            subject.advance(LEASE_SECONDS + 1)
            ledger.renew([])
            rows = await ledger.usage(since_seconds=HOUR)
            assert [(row.requests, row.output_tokens) for row in rows] == [(1, 90)]

    uvloop.run(main())


def test_a_bucket_without_content_is_gone(subject: LedgerSubject) -> None:
    async def main() -> None:
        async with subject.opened() as ledger:
            for number in range(20):
                one = ask((limit("tokens_per_minute", 10, name=f"k{number}"), 5), (limit("concurrent_requests", 1), 1))
                await admitted(ledger, one)
                settle(ledger, one, output=1)
                await told(ledger)
            assert ledger.facts().buckets >= 20
            subject.advance(62)
            ledger.renew([])
            assert (ledger.facts().buckets, ledger.facts().live) == (0, 0)

    uvloop.run(main())
