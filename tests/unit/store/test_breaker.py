"""The circuit breaker, on a clock that only moves when it is told to."""

from __future__ import annotations

import math

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from podium.store.breaker import (
    FAILURES_IN_A_ROW,
    FIRST_OPEN_SECONDS,
    JITTER_SHARE,
    MOST_OPEN_SECONDS,
    STEADY_SECONDS,
    WINDOW_CALLS,
    Breaker,
)


class _Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def _breaker(*, jitter: float = 0.0) -> tuple[Breaker, _Clock]:
    clock = _Clock()
    return Breaker(clock, lambda: jitter), clock


def _fail(breaker: Breaker, times: int = FAILURES_IN_A_ROW) -> None:
    for _ in range(times):
        breaker.failed(breaker.admits())


def _state(breaker: Breaker) -> str:
    return breaker.state


def _probe_until_closed(breaker: Breaker, clock: _Clock) -> None:
    clock.now += breaker.probe_due_seconds()
    breaker.probe_succeeded()
    breaker.probe_succeeded()
    assert _state(breaker) == "closed"


def test_three_failures_in_a_row_open_it_and_then_no_call_is_admitted() -> None:
    breaker, _ = _breaker()
    _fail(breaker, 2)
    assert breaker.admits()
    _fail(breaker, 1)
    assert (_state(breaker), breaker.admits()) == ("open", 0)


def test_a_success_between_failures_starts_the_count_anew() -> None:
    breaker, _ = _breaker()
    for _ in range(5):
        _fail(breaker, 2)
        breaker.succeeded(breaker.admits())
    assert _state(breaker) == "closed"


def test_it_opens_when_more_than_half_of_twenty_calls_within_a_second_failed() -> None:
    breaker, clock = _breaker()
    outcomes = [True, False] * (WINDOW_CALLS // 2)  # half: not more than half
    for good in outcomes:
        (breaker.succeeded if good else breaker.failed)(breaker.admits())
        clock.now += 0.01
    assert _state(breaker) == "closed"
    _fail(breaker, 1)  # pushes a success out of the twenty
    assert _state(breaker) == "open"


def test_failures_that_lie_more_than_a_second_apart_do_not_add_up() -> None:
    breaker, clock = _breaker()
    for number in range(10 * WINDOW_CALLS):
        (breaker.succeeded if number % 3 == 0 else breaker.failed)(breaker.admits())
        clock.now += 0.1  # two of three fail, but only ten calls are made in a second
    assert _state(breaker) == "closed"


def test_it_may_be_probed_after_a_second_and_two_good_probes_close_it() -> None:
    breaker, clock = _breaker()
    _fail(breaker)
    assert breaker.probe_due_seconds() == pytest.approx(FIRST_OPEN_SECONDS)
    clock.now += FIRST_OPEN_SECONDS
    assert (_state(breaker), breaker.probe_due_seconds(), breaker.admits()) == ("half_open", 0.0, 0)
    breaker.probe_succeeded()
    assert (_state(breaker), breaker.admits()) == ("half_open", 0)
    breaker.probe_succeeded()
    assert _state(breaker) == "closed"
    assert breaker.admits()
    assert math.isinf(breaker.probe_due_seconds())


def test_each_failed_probe_doubles_the_time_until_the_next_up_to_a_bound() -> None:
    breaker, clock = _breaker()
    _fail(breaker)
    waits = []
    for _ in range(5):
        waits.append(breaker.probe_due_seconds())
        clock.now += waits[-1]
        breaker.probe_failed()
    assert waits == pytest.approx([1.0, 2.0, 3.0, 3.0, 3.0])


def test_a_failed_probe_takes_the_good_one_before_it_back() -> None:
    breaker, clock = _breaker()
    _fail(breaker)
    clock.now += breaker.probe_due_seconds()
    breaker.probe_succeeded()
    breaker.probe_failed()
    assert _state(breaker) == "open"
    clock.now += breaker.probe_due_seconds()
    breaker.probe_succeeded()
    assert _state(breaker) == "half_open"


def test_with_all_jitter_a_store_that_is_back_is_probed_within_four_seconds() -> None:
    breaker, clock = _breaker(jitter=1.0)
    _fail(breaker)
    for _ in range(10):
        clock.now += breaker.probe_due_seconds()
        breaker.probe_failed()
    assert breaker.probe_due_seconds() == pytest.approx(MOST_OPEN_SECONDS * (1 + JITTER_SHARE))
    assert breaker.probe_due_seconds() < 4


def test_a_store_that_fails_again_soon_after_it_was_back_is_left_alone_for_longer() -> None:
    breaker, clock = _breaker()
    _fail(breaker)
    _probe_until_closed(breaker, clock)
    _fail(breaker)
    assert breaker.probe_due_seconds() == pytest.approx(2 * FIRST_OPEN_SECONDS)


def test_a_store_that_held_for_a_while_starts_from_one_second_again() -> None:
    breaker, clock = _breaker()
    _fail(breaker)
    clock.now += breaker.probe_due_seconds()
    breaker.probe_failed()
    _probe_until_closed(breaker, clock)
    clock.now += STEADY_SECONDS
    _fail(breaker)
    assert breaker.probe_due_seconds() == pytest.approx(FIRST_OPEN_SECONDS)


def test_outcomes_of_calls_from_before_it_opened_change_nothing_any_more() -> None:
    breaker, clock = _breaker()
    old = breaker.admits()
    _fail(breaker)
    due = breaker.probe_due_seconds()
    for _ in range(50):
        breaker.failed(old)
        breaker.succeeded(old)
    assert breaker.probe_due_seconds() == due
    clock.now += due
    breaker.succeeded(old)
    breaker.succeeded(old)
    assert _state(breaker) == "half_open"  # only probes close it
    breaker.probe_succeeded()
    breaker.probe_succeeded()
    for _ in range(10):
        breaker.failed(old)
    assert _state(breaker) == "closed"


class _Machine(RuleBasedStateMachine):
    """Any order of calls, outcomes, probes and time keeps the promises of the class."""

    def __init__(self) -> None:
        super().__init__()
        self.clock = _Clock()
        self.breaker = Breaker(self.clock, lambda: 0.5)
        self.under_way: list[int] = []
        self.in_a_row = 0
        self.opened_at: float | None = None
        self.good_probes = 0

    @rule()
    def call(self) -> None:
        period = self.breaker.admits()
        assert bool(period) == (self.breaker.state == "closed")
        if period:
            self.under_way.append(period)

    @precondition(lambda self: self.under_way)
    @rule(which=st.integers(0, 1000), good=st.booleans())
    def answer(self, which: int, good: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        period = self.under_way.pop(which % len(self.under_way))
        before = self.breaker.state
        counts = bool(self.breaker.admits()) and period == self.breaker.admits()
        (self.breaker.succeeded if good else self.breaker.failed)(period)
        if not counts:
            assert _state(self.breaker) == before
        elif good:
            self.in_a_row = 0
            assert _state(self.breaker) == "closed"
        else:
            self.in_a_row += 1
            assert self.in_a_row < FAILURES_IN_A_ROW or self.breaker.state == "open"
        self._note(before)

    @precondition(lambda self: self.breaker.state == "half_open")
    @rule(good=st.booleans())
    def probe(self, good: bool) -> None:  # noqa: FBT001 - drawn by hypothesis
        if good:
            self.breaker.probe_succeeded()
            self.good_probes += 1
            assert _state(self.breaker) == ("closed" if self.good_probes == 2 else "half_open")
        else:
            self.breaker.probe_failed()
            self.opened_at, self.good_probes = self.clock.now, 0
            assert _state(self.breaker) == "open"
        if self.breaker.state == "closed":
            self.in_a_row, self.good_probes, self.opened_at = 0, 0, None

    @rule(seconds=st.sampled_from([0.001, 0.1, 0.5, 1.0, 3.0, 20.0]))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @invariant()
    def is_never_open_for_longer_than_four_seconds(self) -> None:
        if self.breaker.state == "open":
            assert self.opened_at is not None
            assert 0 < self.breaker.probe_due_seconds() < 4
            assert self.clock.now - self.opened_at < 4

    @invariant()
    def admits_calls_exactly_while_closed(self) -> None:
        assert (self.breaker.admits() > 0) == (self.breaker.state == "closed")

    def _note(self, before: str) -> None:
        if before == "closed" and self.breaker.state == "open":
            self.opened_at, self.in_a_row, self.good_probes = self.clock.now, 0, 0


TestAnyOrder = _Machine.TestCase
