"""The line in which the turns of one tenant wait."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.engine.turns import LEAST_WEIGHT, Line, Turn, Work


def turn(arrival: int, *, priority: int = 0, tokens: int = 10, weight: float = 1.0) -> Turn:
    work = Work(1, "a", weight=weight, priority=priority, tokens=tokens)
    return Turn(work, arrival=arrival, permits=1, tokens=tokens)


ARRIVALS = st.lists(st.tuples(st.integers(-2, 2), st.integers(1, 100)), max_size=20)


@given(ARRIVALS, st.data())
def test_a_line_is_in_order_of_priority_then_of_arrival(arrivals: list[tuple[int, int]], data: st.DataObject) -> None:
    line = Line()
    turns = [turn(number, priority=priority, tokens=tokens) for number, (priority, tokens) in enumerate(arrivals)]
    for one in turns:
        line.add(one)
    gone = data.draw(st.sets(st.sampled_from(turns)) if turns else st.just(set()))
    for one in gone:
        line.remove(one)
    left = sorted(set(turns) - gone, key=lambda one: (-one.work.priority, one.arrival))
    assert list(line.from_last()) == left[::-1]
    assert len(line) == len(left)
    assert line.tokens == line.charge == sum(one.tokens for one in left)
    if left:
        assert line.first() is left[0]
    for priority in range(-3, 4):
        ahead = sum(one.tokens for one in left if one.work.priority >= priority)
        assert line.ahead_of(priority) == (ahead, ahead)


def test_a_line_tells_about_how_much_starts_within_a_charge() -> None:
    line = Line()
    assert line.tokens_within(1000.0) == 0
    for number in range(10):
        line.add(turn(number, tokens=10, weight=2.0))
    assert line.tokens_within(0.0) == 10  # the first one starts before anything was charged
    assert line.tokens_within(20.0) == 50
    assert line.tokens_within(1000.0) == 100


@pytest.mark.parametrize("weight", [0.0, -1.0, float("nan")])
def test_a_weight_that_makes_no_sense_counts_as_the_least(weight: float) -> None:
    assert turn(0, tokens=1, weight=weight).charge == 1 / LEAST_WEIGHT
