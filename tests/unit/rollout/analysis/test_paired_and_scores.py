"""Shadow answers: only pairs that differ tell anything."""

from __future__ import annotations

import itertools
import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from podium.rollout.analysis.paired_process import PairedProcess
from podium.rollout.analysis.score_process import ScoreProcess


def test_nine_pairs_in_which_only_the_canary_is_bad_reach_a_hundred_to_one() -> None:
    assert PairedProcess(only_canary_bad=8).log_e < math.log(100) <= PairedProcess(only_canary_bad=9).log_e


def test_pairs_that_agree_change_nothing() -> None:
    process = PairedProcess(only_canary_bad=3, only_stable_bad=1)
    assert process.after(stable_good=True, canary_good=True) == process
    assert process.after(stable_good=False, canary_good=False) == process


def test_the_mean_over_all_orders_of_equally_likely_pairs_is_one() -> None:
    total = 0.0
    for orders in itertools.product((True, False), repeat=10):
        process = PairedProcess()
        for canary_good in orders:
            process = process.after(stable_good=not canary_good, canary_good=canary_good)
        total += math.exp(process.log_e)
    assert total / 2**10 == pytest.approx(1.0)


@given(st.integers(0, 5000), st.integers(0, 5000))
def test_a_bad_canary_answer_raises_the_evidence_and_a_bad_stable_one_lowers_it(b: int, c: int) -> None:
    now = PairedProcess(b, c)
    assert now.after(stable_good=True, canary_good=False).log_e > now.log_e
    assert now.after(stable_good=False, canary_good=True).log_e < now.log_e


def test_lower_scores_are_found_and_equal_ones_are_not() -> None:
    source = random.Random(5)  # noqa: S311 - a simulation
    lower, equal = ScoreProcess(), ScoreProcess()
    for _ in range(200):
        stable = source.uniform(0.4, 1.0)
        lower = lower.after(stable_score=stable, canary_score=source.uniform(0.2, 0.8))
        equal = equal.after(stable_score=stable, canary_score=source.uniform(0.4, 1.0))
    assert equal.log_e < math.log(20)
    assert lower.log_e > math.log(100)


def test_the_mean_capital_of_fair_differences_is_one() -> None:
    total = 0.0
    for signs in itertools.product((0.0, 1.0), repeat=10):
        process = ScoreProcess()
        for score in signs:
            process = process.after(stable_score=score, canary_score=1.0 - score)
        total += math.exp(process.log_e)
    assert total / 2**10 == pytest.approx(1.0)


def test_no_difference_ruins_the_capital() -> None:
    process = ScoreProcess()
    for _ in range(10_000):
        process = process.after(stable_score=0.0, canary_score=1.0)
    assert all(map(math.isfinite, process.log_factors))


@pytest.mark.parametrize("wrong", [-0.01, 1.01, math.nan])
def test_a_score_outside_its_range_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="needed: 0 to 1"):
        ScoreProcess().after(stable_score=0.5, canary_score=wrong)
