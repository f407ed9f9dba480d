"""One request's reservation, as its owner sees it."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest

from podium.access.leases import FIRST_OUTPUT_TOKENS, Lease, Terms
from podium.access.ledger import Settlement, Used
from podium.access.prices import FREE, ModelPrice
from support.ledgers import ask, limit

INTERVAL = 10.0
PRICE = ModelPrice(input_pico=1_000_000, output_pico=2_000_000)  # a micro-unit, and two


@dataclass
class Owner:
    settlements: list[Settlement] = field(default_factory=list)
    hurried: list[Lease] = field(default_factory=list)

    def settled(self, settlement: Settlement) -> None:
        self.settlements.append(settlement)

    def hurry(self, lease: Lease) -> None:
        self.hurried.append(lease)


def _lease(owner: Owner, *, output: int = 10_000, price: ModelPrice = FREE, cached: bool = False) -> Lease:
    terms = Terms(price, 100, output, began=0.0, cached=cached)
    return Lease(ask((limit("tokens_per_day", 10**6), 100 + output)), (), terms, owner)


def test_a_lease_is_settled_once() -> None:
    owner = Owner()
    lease = _lease(owner, price=PRICE)
    lease.settle(100, 7)
    lease.settle(100, 9)
    lease.settle_as_noted()
    assert lease.ended
    assert owner.settlements == [Settlement(lease.ask, Used(100, 7, 114))]


def test_a_lease_that_is_cut_off_settles_what_was_noted() -> None:
    owner = Owner()
    lease = _lease(owner)
    lease.note(100, 5)
    lease.note(100, 8)
    lease.settle_as_noted()
    assert owner.settlements[0].used == Used(100, 8)


def test_tokens_of_an_answer_that_was_not_computed_do_not_count() -> None:
    owner = Owner()
    _lease(owner, price=PRICE, cached=True).settle(100, 7)
    assert (owner.settlements[0].used, owner.settlements[0].cached) == (Used(), True)


def test_what_is_declared_first_is_the_prompt_and_a_usual_answer() -> None:
    assert Terms(PRICE, 100, 10_000, 0.0).first_declared == Used(
        100, FIRST_OUTPUT_TOKENS, 100 + 2 * FIRST_OUTPUT_TOKENS
    )
    assert Terms(FREE, 100, 20, 0.0).first_declared == Used(100, 20)


def test_what_is_declared_stays_ahead_of_what_is_delivered() -> None:
    """At a steady pace with a renewal each interval, and at any pace with the renewals that it asks for."""
    for pace in (1, 50, 1000):
        owner = Owner()
        lease = _lease(owner, output=100_000)
        declared = FIRST_OUTPUT_TOKENS
        for second in range(1, 60):
            for step in range(pace):
                lease.note(100, (second - 1) * pace + step + 1)
                assert (second - 1) * pace + step + 1 <= declared
                if owner.hurried:
                    owner.hurried.clear()
                    declared = lease.progress(second, INTERVAL).declared.output_tokens
            if second % INTERVAL == 0:
                declared = lease.progress(second, INTERVAL).declared.output_tokens


def test_a_lease_asks_for_an_early_renewal_once_when_half_of_what_it_declared_is_there() -> None:
    owner = Owner()
    lease = _lease(owner)
    lease.note(100, FIRST_OUTPUT_TOKENS // 2 - 1)
    assert owner.hurried == []
    lease.note(100, FIRST_OUTPUT_TOKENS // 2)
    lease.note(100, FIRST_OUTPUT_TOKENS)
    assert owner.hurried == [lease]


def test_a_fast_request_seldom_asks_for_early_renewals() -> None:
    owner = Owner()
    lease = _lease(owner, output=10**6)
    renewals = 0
    for token in range(0, 10**6, 10):
        lease.note(100, token)
        if owner.hurried:
            owner.hurried.clear()
            renewals += 1
            lease.progress(token / 5000, INTERVAL)
    assert renewals < 40


@pytest.mark.parametrize("output", [10, FIRST_OUTPUT_TOKENS])
def test_a_short_request_never_asks_for_one(output: int) -> None:
    owner = Owner()
    lease = _lease(owner, output=output)
    lease.note(100, output)
    assert owner.hurried == []


def test_nothing_beyond_the_reservation_is_declared() -> None:
    lease = _lease(Owner(), output=300, price=PRICE)
    lease.note(90, 200)
    progress = lease.progress(1.0, INTERVAL)
    assert progress.used == Used(90, 200, 490)
    assert progress.declared == Used(100, 300, 700)


def test_a_request_without_limits_needs_no_early_renewal() -> None:
    owner = Owner()
    lease = Lease(ask(), (), Terms(FREE, 0, 10_000, 0.0), owner)
    lease.note(0, 9000)
    assert owner.hurried == []
