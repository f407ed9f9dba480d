"""The search as a function of what is known, and whole searches against queues whose limit is a formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from podium.bench.search.attainment import criterion
from podium.bench.search.history import Criterion, Probe
from podium.bench.search.next_step import Found, Plan, State, next_step, state_at

PLAN = Plan(start=4.0, least=0.5, most=1000.0)


def probe(rate: float, share: float, *, overloaded: bool = False, drifting: bool = False) -> Probe:
    criteria = [Criterion(name="x", bad=share * 5000, count=5000, allowed=0.05)]
    return Probe(rate=rate, criteria=criteria, overloaded=overloaded, drifting=drifting)


def step(*history: Probe, plan: Plan = PLAN) -> float:
    found = next_step(history, plan)
    assert isinstance(found, float)
    return found


def answer(*history: Probe, plan: Plan = PLAN) -> Found:
    found = next_step(history, plan)
    assert isinstance(found, Found)
    return found


def test_it_starts_where_it_was_told_and_doubles_until_something_fails() -> None:
    assert step() == 4.0
    assert step(probe(4, 0.0)) == 8.0
    assert step(probe(4, 0.0), probe(8, 0.05)) == 16.0


def test_it_halves_until_something_passes() -> None:
    assert step(probe(4, 0.9)) == 2.0
    halved = [probe(rate, 0.9) for rate in (4, 2, 1, 0.5)]
    assert step(*halved) == 0.5  # the edge, once more
    assert answer(*halved, halved[-1]).passes is None


def test_it_stays_within_the_named_rates() -> None:
    assert step(probe(600, 0.0), plan=PLAN) == 1000.0
    found = answer(probe(1000, 0.0), probe(1000, 0.0))
    assert (found.passes, found.fails) == (1000.0, None)
    assert "not even 1000/s failed" in found.why


def test_the_gap_is_halved_in_ratio() -> None:
    assert step(probe(4, 0.0), probe(16, 0.9)) == pytest.approx(8.0)


def test_both_edges_are_run_again_before_they_are_believed() -> None:
    edges = [probe(10.0, 0.01), probe(10.4, 0.2)]
    assert step(*edges) == 10.0
    assert step(*edges, probe(10.0, 0.01)) == 10.4
    found = answer(*edges, probe(10.0, 0.01), probe(10.4, 0.2))
    assert (found.passes, found.fails, found.runs) == (10.0, 10.4, 4)
    assert 10.0 <= (found.estimate or 0) <= 10.4


def test_an_unclear_rate_is_no_edge() -> None:
    """5.2 % bad of 5,000 could be either side of 5 %."""
    assert state_at([probe(10, 0.052)], PLAN) is State.UNCLEAR
    assert step(probe(9, 0.0), probe(10, 0.052), probe(12, 0.5)) == pytest.approx(math.sqrt(10 * 12))


def test_runs_that_contradict_each_other_make_no_edge() -> None:
    assert state_at([probe(10, 0.8), probe(10, 0.0)], PLAN) is State.UNCLEAR


def test_a_queue_that_grows_fails_and_one_that_drifts_does_not_pass() -> None:
    assert state_at([probe(10, 0.0, overloaded=True)], PLAN) is State.FAILS
    assert state_at([probe(10, 0.0, drifting=True)], PLAN) is State.UNCLEAR


def test_every_criterion_must_pass_and_one_is_enough_to_fail() -> None:
    good, bad = probe(10, 0.0).criteria[0], Criterion(name="y", bad=900, count=1000, allowed=0.01)
    assert state_at([Probe(rate=10, criteria=[good, bad])], PLAN) is State.FAILS
    open_question = Criterion(name="y", bad=0, count=100, allowed=0.01)
    assert state_at([Probe(rate=10, criteria=[good, open_question])], PLAN) is State.UNCLEAR


def test_a_target_that_does_better_at_a_higher_rate_is_asked_again_and_then_reported() -> None:
    odd = [probe(8.0, 0.5), probe(10.0, 0.0)]
    assert step(*odd) == 8
    found = answer(*[one for one in odd for _ in range(3)])
    assert found.passes is None
    assert "does not behave the same" in found.why


def test_it_ends_when_the_runs_are_used_up() -> None:
    plan = Plan(start=1, least=0.1, most=1000, most_runs=2)
    assert answer(probe(1, 0.0), probe(2, 0.0), plan=plan).why == "the runs that were allowed are used up"


def queue(capacity: float, noise: float, seed: int) -> Callable[[float], Probe]:
    """Runs of an M/M/1 queue whose p95 sojourn meets 0.5 s exactly at capacity - 2 ln(20)."""
    draw = np.random.default_rng(seed)

    def run(rate: float) -> Probe:
        warm_up, count = round(30 * rate), round(max(150 * rate, 30 * rate + 2000))
        speed = capacity * math.exp(draw.normal(0, noise))
        gaps, service = draw.exponential(1 / rate, count), draw.exponential(1 / speed, count)
        walk = np.concatenate([[0.0], np.cumsum(service[:-1] - gaps[1:])])
        late = (walk - np.minimum.accumulate(walk) + service)[warm_up:] > 0.5
        return Probe(rate=rate, criteria=[criterion("e2e", late, 0.05)], overloaded=rate >= speed)

    return run


@pytest.mark.parametrize("capacity", [20.0, 60.0])
def test_the_interval_holds_the_true_limit_with_a_third_of_a_grids_runs(capacity: float) -> None:
    limit = capacity + 2 * math.log(0.05)
    spent, grid = 0, 0.0
    for seed in range(10):
        run, history = queue(capacity, 0.01, seed), list[Probe]()
        while isinstance(rate := next_step(history, Plan(start=1.0, least=0.1, most=1e4)), float):
            history.append(run(rate))
        assert rate.passes is not None
        assert rate.fails is not None
        assert rate.passes <= limit <= rate.fails
        spent += rate.runs
        grid += math.log(rate.fails) / math.log(1.05)  # steps of 5 % from 1/s until one is shown to fail
        assert rate.estimate == pytest.approx(limit, rel=0.25)
    assert 3 * spent <= grid
