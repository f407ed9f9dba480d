"""A rollout that could never finish, or promises nothing, is refused before it starts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from podium.config.rollout import MetricWeights, Rollout
from podium.rollout.analysis.policy import WEIGHTS, Policy
from podium.rollout.configured import policy_of, weights_of


def test_the_defaults_are_those_of_the_analysis() -> None:
    assert policy_of(Rollout()) == Policy()
    assert weights_of(MetricWeights()) == dict(WEIGHTS)


@pytest.mark.parametrize(
    ("steps", "said"),
    [
        ((), "do not end in 100"),
        ((5.0, 25.0), "do not end in 100"),
        ((5.0, 120.0), "do not end in 100"),
        ((25.0, 5.0, 100.0), "do not increase"),
        ((5.0, 5.0, 100.0), "do not increase"),
        ((0.0, 100.0), "do not increase"),
        ((-5.0, 100.0), "do not increase"),
        ((100.0, 100.0), "do not increase"),
        ((float("nan"), 100.0), "do not increase"),
    ],
)
def test_steps_increase_from_above_0_to_100(steps: tuple[float, ...], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Rollout(steps=steps)


@pytest.mark.parametrize("steps", [(100.0,), (1.0, 100.0), (0.5, 5.0, 99.5, 100.0)])
def test_steps_that_end_in_100_are_accepted(steps: tuple[float, ...]) -> None:
    assert Rollout(steps=steps).steps == steps


@pytest.mark.parametrize("weights", [{"errors": 0.5}, {"errors": 0.3}, {"validity": 0.0}])
def test_weights_that_do_not_sum_to_1_are_refused(weights: dict[str, float]) -> None:
    with pytest.raises(ValidationError, match="should sum to 1"):
        MetricWeights(**weights)


def test_durations_alone_cannot_promote() -> None:
    with pytest.raises(ValidationError, match="promotion rests on counts"):
        MetricWeights(errors=0, aborted=0, validity=0, ttft=0.5, itl=0.5)


@pytest.mark.parametrize(
    "impossible",
    [
        {"alpha": 0.0},
        {"alpha": 0.5},
        {"beta": 0.0},
        {"max_bad_rate_increase": 0.0},
        {"max_bad_rate_increase": 1.0},
        {"min_canary_requests": 0},
        {"interval_seconds": 0.0},
        {"min_soak_seconds": 3600.0},
        {"min_soak_seconds": 10.0, "step_deadline_seconds": 10.0},
        {"blind_seconds": 4.0},
    ],
    ids=str,
)
def test_a_policy_that_can_never_finish_is_refused(impossible: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rollout(**impossible)
