"""The plain rule never passes on nothing, and judges at the end of a step."""

from __future__ import annotations

import random

import pytest

from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.threshold import Passage, judge_by_threshold, surely_above
from podium.rollout.analysis.verdict import Advance, Hold, Rollback


def passage(attempts: int, bad: int, seconds: float = 60.0) -> Passage:
    return Passage(counts=Stratum(1000, 900, attempts, bad), seconds=seconds, needed_seconds=60.0)


def test_before_the_end_of_its_time_a_step_is_held_whatever_was_counted() -> None:
    for counts in ((100, 0), (100, 100), (0, 0)):
        verdict = judge_by_threshold(passage(*counts, seconds=59.0), 0.05)
        assert isinstance(verdict, Hold)
        assert verdict.reason == "soak"


def test_no_attempt_is_no_pass_and_no_failure() -> None:
    verdict = judge_by_threshold(passage(0, 0), 0.05)
    assert isinstance(verdict, Hold)
    assert verdict.reason == "blind"


@pytest.mark.parametrize(("bad", "kind"), [(0, Advance), (5, Advance), (6, Rollback), (100, Rollback)])
def test_a_rate_up_to_the_limit_passes_and_one_above_it_does_not(bad: int, kind: type) -> None:
    assert isinstance(judge_by_threshold(passage(100, bad), 0.05), kind)


def test_with_all_traffic_one_failure_of_one_is_not_surely_too_many_and_forty_of_a_hundred_are() -> None:
    assert surely_above(Stratum(0, 0, 1, 1), 0.05, 0.01) is None
    assert surely_above(Stratum(0, 0, 100, 5), 0.05, 0.01) is None
    found = surely_above(Stratum(0, 0, 100, 40), 0.05, 0.01)
    assert found is not None
    assert found.reason == "threshold"


def test_a_canary_at_the_limit_is_rarely_ended_however_often_one_looks() -> None:
    """300 rollouts of 400 attempts at exactly 5 %, looked at after each one; at most alpha = 5 % may end."""
    draw = random.Random(7)  # noqa: S311 - a simulation
    ended = 0
    for _ in range(300):
        bad = 0
        for attempts in range(1, 401):
            bad += draw.random() < 0.05
            if surely_above(Stratum(0, 0, attempts, bad), 0.05, 0.05) is not None:
                ended += 1
                break
    assert ended <= 15
