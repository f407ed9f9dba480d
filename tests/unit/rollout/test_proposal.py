"""What a start would begin, and what is refused before anything moves."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from podium.config.rollout import Rollout
from podium.core.errors import InvalidRequest
from podium.protocols.rollouts import RolloutRequest
from podium.rollout.events import Started
from podium.rollout.plan import RecentTraffic, plan
from podium.rollout.ports import Readiness
from podium.rollout.proposal import Standing, obstacles, propose
from podium.rollout.state import Phase, RolloutState
from podium.rollout.terms import Terms

STANDING = Standing(
    stable="blue",
    units={"blue": 10_000, "green": 0},
    readiness=Readiness(1, 2),
    revisions={"blue": "blue@1", "green": "green@2"},
    configured="c",
)


def proposed(standing: Standing = STANDING, settings: Rollout | None = None, **wish: Any) -> Started:
    return propose(RolloutRequest(**{"environment": "green", **wish}), settings or Rollout(), standing, now=7.0)


def test_a_canary_takes_the_configured_steps_unless_it_names_its_own() -> None:
    started = proposed()
    assert (started.revision, started.steps) == ("green@2", (500, 2500, 5000, 10_000))
    assert (started.terms.environment, started.terms.stable, started.terms.configured) == ("green", "blue", "c")
    assert proposed(steps=[12.5, 100.0], revision="v2").steps == (1250, 10_000)


def test_blue_green_is_one_step_after_a_time_in_which_only_a_header_reaches_it() -> None:
    started = proposed(strategy="blue-green", min_soak_seconds=120.0)
    assert (started.steps, started.terms.preview_seconds) == ((10_000,), 120.0)


def test_linear_is_equal_steps_over_a_time() -> None:
    started = proposed(strategy="linear", step_count=3, duration_seconds=600.0)
    assert started.steps == (3333, 6667, 10_000)
    assert started.terms.policy.soak_seconds == 200.0


def test_an_interval_is_waited_for_at_least_as_long_as_a_first_byte() -> None:
    assert proposed().terms.settle_seconds == 30.0
    slow = msgspec.structs.replace(STANDING, first_byte_seconds=60.0)
    assert proposed(slow).terms.settle_seconds == 61.0


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"environment": "red"}, "there are blue, green"),
        ({"environment": "blue"}, "blue is the stable environment; name the one that should take over: green"),
        ({"steps": [5.0, 50.0]}, "do not end in 100"),
        ({"steps": [50.0, 5.0, 100.0]}, "do not increase"),
        ({"steps": [0.0, 100.0]}, "do not increase"),
        ({"steps": [0.001, 100.0]}, "at most 2 decimals"),
        ({"min_soak_seconds": 3600.0}, "every step would be held"),
        ({"alpha": 0.9}, "alpha"),
        ({"max_error_rate": 0.0}, "max_error_rate"),
        ({"max_bad_rate_increase": 1.5}, "max_bad_rate_increase"),
        ({"revision": " "}, "should not be empty"),
        ({"strategy": "linear"}, "needs `duration_seconds`"),
        ({"strategy": "linear", "duration_seconds": -1.0}, "needs `duration_seconds`"),
        ({"strategy": "linear", "duration_seconds": 9.0, "step_count": 0}, "`step_count` should be"),
        ({"strategy": "linear", "duration_seconds": 90_000.0, "step_count": 2}, "every step would be held"),
        ({"strategy": "blue-green", "steps": [100.0]}, "`steps` means nothing for the strategy blue-green"),
        ({"step_count": 3}, "`step_count` means nothing for the strategy canary"),
    ],
)
def test_what_no_rollout_can_be_is_refused_with_what_is_allowed(wish: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        proposed(**wish)
    assert said in refused.value.message


def test_weights_that_leave_nothing_to_count_are_refused() -> None:
    weights = {"errors": 0.0, "aborted": 0.0, "ttft": 0.5, "itl": 0.0, "validity": 0.5}
    with pytest.raises(InvalidRequest, match="nothing for errors or aborted"):
        proposed(settings=Rollout.model_validate({"weights": weights}))


def test_the_only_environment_cannot_take_over_from_itself() -> None:
    alone = msgspec.structs.replace(STANDING, units={"blue": 10_000})
    with pytest.raises(InvalidRequest, match=r"add it to gateway\.environments"):
        proposed(alone, environment="blue")


RUNNING = RolloutState(phase=Phase.OBSERVING, revision="v1", terms=Terms(environment="green", stable="blue"))


@pytest.mark.parametrize(
    ("state", "standing", "said"),
    [
        (RUNNING, {}, "the rollout of v1 to green is observing; abort it first, or start with supersede"),
        (RolloutState(aborted=("green@2",)), {}, "revision green@2 was aborted and is not tried again"),
        (RolloutState(), {"readiness": None}, "the gateway cannot be asked"),
        (RolloutState(), {"readiness": Readiness(0, 2)}, "no server of green passes its check"),
        (
            RolloutState(),
            {"units": {"blue": 9000, "green": 1000}},
            "split by hand (blue 90 %, green 10 %) and blue is the stable environment; send it all there first: podium",
        ),
    ],
)
def test_what_cannot_begin_now_is_told_with_what_to_do(
    state: RolloutState, standing: dict[str, Any], said: str
) -> None:
    (found,) = obstacles(proposed(), state, msgspec.structs.replace(STANDING, **standing))
    assert said in found


def test_nothing_stands_in_the_way_of_a_good_start_or_of_one_that_supersedes() -> None:
    assert obstacles(proposed(), RolloutState(), STANDING) == []
    moving = msgspec.structs.replace(STANDING, units={"blue": 5000, "green": 5000})
    assert obstacles(proposed(), RUNNING, moving, supersede=True) == []


def test_a_plan_says_what_proof_takes_at_the_present_traffic() -> None:
    answer = plan(proposed(), RecentTraffic(10.0, 0.005), [])
    first, *_, last = answer.steps
    assert first.canary_requests is not None
    assert 1500 < first.canary_requests < 3000  # about 2,000 (rollout specification, section 3.8)
    assert first.about_minutes == pytest.approx(first.canary_requests / 0.5 / 60)
    assert (last.share, last.at_least_seconds, last.about_minutes) == (100.0, 1800.0, 30.0)
    assert answer.about_minutes == pytest.approx(sum(step.about_minutes or 0 for step in answer.steps))


def test_a_plan_without_traffic_knows_no_time() -> None:
    answer = plan(proposed(), RecentTraffic(), ["p"])
    assert [step.about_minutes for step in answer.steps] == [None] * 4
    assert (answer.about_minutes, answer.stable_bad_rate, answer.problems) == (None, None, ["p"])


def test_by_threshold_a_step_takes_its_time_and_one_request() -> None:
    answer = plan(proposed(judged_by="threshold"), RecentTraffic(10.0, 0.005), [])
    assert (answer.steps[0].canary_requests, answer.steps[0].about_minutes) == (1, 1.0)
