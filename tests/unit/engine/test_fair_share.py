"""Weighted fairness by tokens between tenants, through the gate."""

from __future__ import annotations

import itertools
import random
from collections import Counter, defaultdict
from dataclasses import dataclass

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.engine.admission import AdmissionGate
from podium.engine.fair_share import MOST_DEBTORS, FairShare
from podium.engine.turns import Turn, Work
from support.admission import Callers, Clock, play

SIZES = st.lists(st.integers(1, 1000), min_size=1, max_size=8)


@dataclass
class Tenant:
    """One that always has requests waiting."""

    name: str
    weight: float
    sizes: list[int]
    asked: int = 0

    async def keep_waiting(self, callers: Callers, at_least: int) -> None:
        while sum(name.startswith(self.name) for name in callers.waiting) < at_least:
            tokens = self.sizes[self.asked % len(self.sizes)]
            await callers.ask(f"{self.name} {self.asked}", Work(1, self.name, weight=self.weight, tokens=tokens))
            self.asked += 1

    @property
    def largest_charge(self) -> float:
        return max(self.sizes) / self.weight


class Backlog:
    """Two tenants that always wait, at a gate whose permits a third one held until both did."""

    def __init__(self, permits: int, tenants: tuple[Tenant, Tenant], seed: int) -> None:
        self.gate = AdmissionGate(permits=permits, queue=100, clock=Clock())
        self.callers = Callers(self.gate)
        self.tenants = tenants
        self.used: dict[str, int] = {}
        self._permits = permits
        self._random = random.Random(seed)  # noqa: S311 - which request ends next

    async def begin(self) -> None:
        for number in range(self._permits):
            await self.callers.ask(f"x {number}", Work(1, "x", tokens=1))
        for tenant in self.tenants:
            await tenant.keep_waiting(self.callers, 3)
        for number in range(self._permits):
            await self.callers.end(f"x {number}")
            await self.refill()

    async def refill(self) -> None:
        for tenant in self.tenants:
            await tenant.keep_waiting(self.callers, 3)

    async def end_one(self, *, share_used: float = 1.0) -> None:
        name = self._random.choice(sorted(self.callers.running))
        self.used[name] = round(self.callers.works[name].tokens * share_used)
        await self.callers.end(name, self.used[name])
        await self.refill()

    def given(self, tenant: Tenant) -> float:
        """Work over weight: used by what ended, expected of what runs."""
        names = [name for name in self.callers.admitted if name.startswith(tenant.name)]
        return sum(self.used.get(name, self.callers.works[name].tokens) for name in names) / tenant.weight


@settings(max_examples=60, deadline=None)
@given(SIZES, SIZES, st.integers(1, 5), st.integers(0, 2**16))
def test_two_tenants_that_always_wait_get_work_by_their_weights_within_one_request(
    sizes_a: list[int], sizes_b: list[int], permits: int, seed: int
) -> None:
    async def main() -> None:
        one, three = Tenant("a", 1.0, sizes_a), Tenant("b", 3.0, sizes_b)
        backlog = Backlog(permits, (one, three), seed)
        await backlog.begin()
        for _ in range(40):
            apart = abs(backlog.given(one) - backlog.given(three))
            assert apart <= max(one.largest_charge, three.largest_charge) + 1e-6
            await backlog.end_one()
        await backlog.callers.finish()

    play(main())


@settings(max_examples=40, deadline=None)
@given(SIZES, SIZES, st.integers(1, 5), st.lists(st.floats(0, 2), min_size=1, max_size=5), st.integers(0, 2**16))
def test_wrong_expectations_put_tenants_apart_by_no_more_than_what_runs(
    sizes_a: list[int], sizes_b: list[int], permits: int, shares_used: list[float], seed: int
) -> None:
    async def main() -> None:
        one, three = Tenant("a", 1.0, sizes_a), Tenant("b", 3.0, sizes_b)
        backlog = Backlog(permits, (one, three), seed)
        await backlog.begin()
        most = max(1.0, *shares_used) * max(one.largest_charge, three.largest_charge)
        for share_used in itertools.islice(itertools.cycle(shares_used), 40):
            assert abs(backlog.given(one) - backlog.given(three)) <= (1 + permits) * most + 1
            await backlog.end_one(share_used=share_used)
        await backlog.callers.finish()

    play(main())


@settings(max_examples=60, deadline=None)
@given(SIZES, st.integers(1, 1000), st.integers(1, 4), st.integers(1, 4), st.integers(0, 20), st.integers(0, 2**16))
def test_a_flood_delays_anothers_single_request_by_what_runs_and_one_request_at_most(
    sizes: list[int], tokens: int, permits: int, choices: int, head_start: int, seed: int
) -> None:
    """Whatever the flood has been given before, however wide its requests are, and whatever they use."""

    async def main() -> None:
        draw = random.Random(seed)  # noqa: S311 - which request ends next
        callers = Callers(AdmissionGate(permits=permits, queue=100, clock=Clock()))
        for number in range(head_start + 30):
            size = sizes[number % len(sizes)]
            await callers.ask(f"flood {number}", Work(1 + number % choices, "flood", weight=9.0, tokens=size))
        for _ in range(head_start):
            await callers.end(draw.choice(sorted(callers.running)), draw.choice([0, 1, 500]))
        before = len(callers.admitted)
        await callers.ask("single", Work(1, "other", weight=0.5, tokens=tokens))
        while "single" not in callers.running:
            await callers.end(draw.choice(sorted(callers.running)), draw.choice([0, 1, 500]))
        assert callers.admitted.index("single") - before <= 1
        await callers.finish()

    play(main())


def test_idleness_cannot_be_saved_up() -> None:
    async def main() -> None:
        callers = Callers(AdmissionGate(permits=1, queue=100, clock=Clock()))
        for number in range(60):
            await callers.ask(f"busy {number}", Work(1, "busy", tokens=100))
        for number in range(20):
            await callers.end(f"busy {number}")
        for number in range(20):
            await callers.ask(f"late {number}", Work(1, "late", tokens=100))
        for _ in range(10):
            await callers.end(callers.admitted[-1])
        # It was given 2,000 tokens less, and is owed nothing: the two take turns.
        assert Counter(name.split()[0] for name in callers.admitted[-10:]) == {"late": 5, "busy": 5}
        await callers.finish()

    play(main())


def test_a_refund_of_an_overestimate_is_no_saved_idleness() -> None:
    """A request that asks for far more than it uses, and runs for long, earns its tenant no head start."""

    async def main() -> None:
        callers = Callers(AdmissionGate(permits=2, queue=100, clock=Clock()))
        await callers.ask("sly long", Work(1, "sly", tokens=100_000))
        for number in range(60):
            await callers.ask(f"fair {number}", Work(1, "fair", tokens=100))
        for number in range(30):
            await callers.end(f"fair {number}")
        for number in range(20):
            await callers.ask(f"sly {number}", Work(1, "sly", tokens=100))
        await callers.end("sly long", 1)
        for number in range(30, 39):
            ended = f"fair {number}" if f"fair {number}" in callers.running else callers.admitted[-1]
            await callers.end(ended)
        since = callers.admitted[callers.admitted.index("fair 30") + 1 :]
        assert Counter(name.split()[0] for name in since)["sly"] <= len(since) / 2 + 1
        await callers.finish()

    play(main())


def test_a_tenant_that_used_more_than_it_asked_for_goes_later() -> None:
    async def main() -> None:
        callers = Callers(AdmissionGate(permits=1, queue=100, clock=Clock()))
        await callers.ask("x", Work(1, "x", tokens=1))
        for number in range(8):
            await callers.ask(f"sly {number}", Work(1, "sly", tokens=10))
            await callers.ask(f"fair {number}", Work(1, "fair", tokens=100))
        await callers.end("x")
        await callers.end("sly 0", 500)
        for number in range(5):
            await callers.end(f"fair {number}")
        assert callers.admitted[1:] == ["sly 0", *(f"fair {number}" for number in range(5)), "sly 1"]
        await callers.finish()

    play(main())


def test_a_newcomer_may_have_as_much_running_as_the_others_have() -> None:
    async def main() -> None:
        callers = Callers(AdmissionGate(permits=4, queue=100, clock=Clock()))
        for number in range(20):
            await callers.ask(f"flood {number}", Work(1, "flood", tokens=100))
        for number in range(8):
            await callers.ask(f"new {number}", Work(1, "new", tokens=100))
        for number in range(6):
            await callers.end(f"flood {number}" if number < 4 else f"new {number - 4}")
        assert Counter(name.split()[0] for name in callers.running) == {"flood": 1, "new": 3}
        for number in range(2, 5):
            await callers.end(f"new {number}")
        assert Counter(name.split()[0] for name in callers.running) == {"flood": 3, "new": 1}
        await callers.finish()

    play(main())


def turn(number: int, tenant: str, tokens: int = 10) -> Turn:
    return Turn(Work(1, tenant, tokens=tokens), arrival=number, permits=1, tokens=tokens)


def test_counters_of_a_class_are_forgotten_when_nothing_of_it_runs_or_waits() -> None:
    share = FairShare()
    first, second = turn(0, "a"), turn(1, "b")
    share.start(first)
    share.add(second)
    share.finish(first, 1000)
    share.take(second)
    assert not share.is_idle
    share.finish(second, 10)
    assert share.is_idle


def test_an_idle_tenant_is_forgotten_as_soon_as_the_others_have_been_given_as_much() -> None:
    share = FairShare()
    one = turn(0, "a", 100)
    share.start(one)
    waiting = [turn(number, "b", 30) for number in range(1, 9)]
    for other in waiting:
        share.add(other)
    share.finish(one, 100)
    kept = []
    for other in waiting:
        share.take(other)
        share.finish(other, 30)
        kept.append(share.tenants)
    assert kept == [2, 2, 2, 2, 1, 1, 1, 1]  # after b's fifth request began at 120 tokens


def test_tenants_that_come_once_do_not_fill_the_memory_and_gain_nothing() -> None:
    share = FairShare()
    patient = turn(0, "patient")
    share.start(turn(1, "busy", 10**9))
    share.add(patient)
    numbers = itertools.count(2)
    for _ in range(10 * MOST_DEBTORS):
        number = next(numbers)
        once = turn(number, f"once {number}")
        share.start(once)
        share.finish(once, 10)
        assert share.tenants <= MOST_DEBTORS + 2
    assert share.level > 0
    # Who comes back after it was forgotten stands no better than those who waited all the time.
    again = turn(next(numbers), "once 2")
    share.add(again)
    assert share.head() is patient


@pytest.mark.parametrize("weights", [(1.0, 1.0), (1.0, 10.0), (0.25, 1.5)])
def test_a_tenants_share_does_not_depend_on_the_size_of_its_requests(weights: tuple[float, float]) -> None:
    share = FairShare()
    numbers = itertools.count()
    sizes = {"small": 7, "large": 900}
    weight = dict(zip(sizes, weights, strict=True))
    given: dict[str, int] = defaultdict(int)

    def ask(tenant: str) -> None:
        work = Work(1, tenant, weight=weight[tenant], tokens=sizes[tenant])
        share.add(Turn(work, arrival=next(numbers), permits=1, tokens=work.tokens))

    for tenant in sizes:
        ask(tenant)
        ask(tenant)
    for _ in range(5000):
        head = share.head()
        assert head is not None
        share.take(head)
        given[head.work.tenant] += head.tokens
        ask(head.work.tenant)
        share.finish(head, head.tokens)
    apart = given["small"] / weight["small"] - given["large"] / weight["large"]
    assert abs(apart) <= max(sizes[tenant] / weight[tenant] for tenant in sizes) + 1e-6
