"""How traffic stands when a controller begins."""

from __future__ import annotations

from dataclasses import replace

import pytest

from podium.config.gateway import Environment, Gateway
from podium.controller.resuming import configured, is_overruled, resumed
from podium.core.errors import ConfigurationError
from podium.gateway.topology import Topology
from podium.rollout import events as e
from podium.rollout.state import Phase, RolloutState
from podium.rollout.terms import Terms
from podium.rollout.transitions import after
from support.topologies import topology


def gateway(*names: str, **more: object) -> Gateway:
    environments = {
        name: Environment(endpoints=(f"http://127.0.0.1:{number}",)) for number, name in enumerate(names, start=1)
    }
    return Gateway.model_validate({"environments": environments, **more})


CONFIGURED = gateway("blue", "green")
TERMS = Terms(environment="green", stable="blue", configured=configured(CONFIGURED))
WAY: list[e.Event] = [
    e.Started(at=0, revision="v2", steps=(500, 10_000), terms=TERMS),
    e.CanaryReady(at=1),
    e.Warmed(at=2),
    e.Acknowledged(at=3, canary_units=500),
    e.SplitAgreed(at=4),
    e.Judged(at=5, verdict="ADVANCE", reason="certified"),
    e.Acknowledged(at=6, canary_units=10_000),
    e.DeadlinePassed(at=7),
    e.Drained(at=8),
]


def state_after(number: int, *more: e.Event) -> RolloutState:
    state = RolloutState()
    for event in (*WAY[:number], *more):
        state = after(state, event)
    return state


def begins(state: RolloutState, kept: dict[str, int] | None = None, wanted: Gateway = CONFIGURED) -> Topology:
    return resumed(topology(), state, wanted, kept)


@pytest.mark.parametrize(
    ("number", "kept", "green"),
    [
        (1, None, 0),
        (3, None, 0),  # applying 500, not confirmed
        (3, {"blue": 9500, "green": 500}, 500),  # confirmed by the gateway, which was not written down any more
        (3, {"blue": 9000, "green": 1000}, 0),  # neither wanted nor confirmed
        (4, None, 500),
        (6, {"blue": 9500, "green": 500}, 500),  # applying all
        (7, None, 10_000),
    ],
)
def test_a_running_rollout_goes_on_from_what_was_confirmed(
    number: int, kept: dict[str, int] | None, green: int
) -> None:
    found = begins(state_after(number), kept)
    assert (found.weights, found.stable) == ({"blue": 10_000 - green, "green": green}, "blue")


def test_an_abort_begins_without_traffic_for_the_canary() -> None:
    aborting = state_after(5, e.Aborted(at=5, reason="x"))
    assert begins(aborting, {"blue": 9500, "green": 500}).weights == {"blue": 10_000, "green": 0}


def test_a_finished_rollout_has_changed_the_roles_and_keeps_the_old_shield_for_the_moment() -> None:
    found = begins(state_after(9))
    assert (found.stable, found.former, found.weights) == ("green", "blue", {"blue": 0, "green": 10_000})


def test_a_rolled_back_one_has_not() -> None:
    ended = state_after(5, e.Aborted(at=5, reason="x"), e.Acknowledged(at=6, canary_units=0), e.Drained(at=7))
    assert ended.phase is Phase.ROLLED_BACK
    found = begins(ended)
    assert (found.stable, found.former, found.weights) == ("blue", "", {"blue": 10_000, "green": 0})


def test_weights_that_were_set_by_hand_since_stay_within_a_run() -> None:
    assert begins(state_after(9), {"blue": 2000, "green": 8000}).weights == {"blue": 2000, "green": 8000}


@pytest.mark.parametrize(
    "edited",
    [gateway("blue", "green", stable="green"), gateway("blue", "green", weights={"blue": 90, "green": 10})],
)
def test_a_configuration_that_was_edited_since_counts_again(edited: Gateway) -> None:
    assert is_overruled(state_after(9), edited)
    assert begins(state_after(9), wanted=edited) == topology()
    assert not is_overruled(state_after(9), CONFIGURED)
    assert not is_overruled(state_after(5), edited)


def test_a_running_rollout_whose_environment_is_gone_is_refused_by_name() -> None:
    without = replace(topology(), environments=topology().environments[:1], weights={"blue": 10_000})
    with pytest.raises(ConfigurationError, match=r"has no green\. Add it again and abort"):
        resumed(without, state_after(5), gateway("blue"), None)


def test_without_any_rollout_nothing_is_changed() -> None:
    assert begins(RolloutState()) == topology()
    assert begins(RolloutState(), {"blue": 5000, "green": 5000}).weights == {"blue": 5000, "green": 5000}
