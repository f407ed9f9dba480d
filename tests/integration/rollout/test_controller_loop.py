"""A rollout from its start to its end: a real controller, a real Envoy, two servers that behave as they are told."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest

from podium.config.gateway import Environment, Gateway
from podium.controller.resuming import configured
from podium.rollout import events as e
from podium.rollout.course import Course
from podium.rollout.history import Entry, History, read, verify
from podium.rollout.state import RolloutState
from podium.rollout.terms import Terms
from support.controlled_gateway import LONG_SECONDS, ControlledGateway, controlled_gateway
from support.deadline import until
from support.upstreams import Upstream, crowd, upstream

WHOLE_WAY = ["preparing", "warming", "applying", "acked", "observing", "applying", "baking", "draining", "done"]


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="podium-") as name:
        yield Path(name)


@contextmanager
def site(folder: Path, *, bad_of_ten: int = 0, **rollout: Any) -> Iterator[tuple[ControlledGateway, Upstream]]:
    with (
        upstream("blue") as blue,
        upstream("green", bad_of_ten=bad_of_ten) as green,
        controlled_gateway(folder, blue, green, **rollout) as one,
    ):
        yield one, green


def test_a_good_canary_gets_all_traffic_and_becomes_stable_and_no_user_is_moved_by_that(folder: Path) -> None:
    with site(folder) as (one, _), crowd(one.gateway, per_second=50, users=20) as clients:
        assert one.start()["phase"] == "preparing"
        done = one.reaches("done")
        before = len(clients.statuses)
        until("the roles have changed", lambda: one.traffic["stable"] == "green")
        until("everybody has asked again", lambda: len(clients.statuses) > before + 60, seconds=LONG_SECONDS)
        assert set(clients.homes.values()) == {"green"}
        assert (done["confirmed"], done["ended"], done["possible"]) == (100, True, [])
        assert one.traffic["weights"] == {"blue": 0, "green": 100}
        assert clients.failed == []
        assert [event["phase"] for event in one.get("/control/rollouts/events")["events"]] == WHOLE_WAY
        assert one.get("/control/rollouts")["rollouts"][0]["highest_step"] == 100
        description = one.get("/openapi.json")
        for path in ("/control/traffic", "/control/rollouts", "/control/rollouts/current", "/control/rollouts/events"):
            content = description["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]
            schema = {**content["schema"], "components": description["components"]}
            jsonschema.Draft202012Validator(schema).validate(one.get(path))
    assert verify(one.history) == []


def test_a_bad_canary_loses_its_traffic_and_no_client_notices_it(folder: Path) -> None:
    with site(folder, bad_of_ten=2) as (one, _), crowd(one.gateway, per_second=20) as clients:
        one.start(min_soak_seconds=60)
        ended = one.reaches("rolled-back")
        assert (ended["verdict"]["word"], ended["verdict"]["metric"]) == ("ROLLBACK", "errors")
        assert ended["evidence"]["highest_odds"] >= ended["evidence"]["alarm"]
        assert one.traffic["weights"] == {"blue": 100, "green": 0}
        assert one.traffic["stable"] == "blue"
        again = one.post("/control/rollouts", 409, environment="green")
        assert "was aborted and is not tried again" in again["error"]["message"]
        assert clients.failed == []


@pytest.mark.parametrize(("end", "metric"), [("broken", "aborted"), ("empty", "validity")])
def test_a_canary_that_fails_inside_its_streams_with_status_200_is_taken_back(
    folder: Path, end: str, metric: str
) -> None:
    with site(folder) as (one, green), crowd(one.gateway, per_second=30) as clients:
        green.ends = end
        one.start(min_soak_seconds=60)
        ended = one.reaches("rolled-back")
        assert ended["verdict"]["metric"] == metric
        assert (ended["cut_streams"] > 0) == (end == "broken")
        assert clients.failed == []


def test_a_shadow_of_servers_that_would_count_copies_is_refused_before_anything_is_sent(folder: Path) -> None:
    with site(folder) as (one, green):
        refused = one.post("/control/rollouts", 409, environment="green", shadow=True)
        assert "the servers of blue do not say that copies count nowhere" in refused["error"]["message"]
        assert "the servers of green do not say" in refused["error"]["message"]
        assert green.requests == 0


def test_without_traffic_nothing_is_promoted_and_nothing_fails_until_requests_come(folder: Path) -> None:
    with site(folder) as (one, _):
        one.start()
        waiting = one.reaches("acked")
        assert "requests have to arrive at green and at blue" in waiting["waits_for"]
        plan = one.post("/control/rollouts/plan", 200, environment="green", revision="other")
        assert (plan["about_minutes"], plan["requests_per_second"]) == (None, 0)
        assert "abort it first" in plan["problems"][0]
        by_hand = httpx.put(f"{one.control}/control/traffic", json={"weights": {"blue": 100}}, timeout=30)
        assert by_hand.status_code == 409
        assert "Abort it first" in by_hand.json()["error"]["message"]
        with crowd(one.gateway, per_second=30):
            one.reaches("observing")


def test_the_abort_button_takes_the_traffic_away_at_once(folder: Path) -> None:
    with site(folder) as (one, _), crowd(one.gateway, per_second=20) as clients:
        one.start(min_soak_seconds=60)
        seen = one.reaches("observing")
        assert seen["possible"] == ["abort", "promote"]
        for path, meant, said in (
            ("promote", {"number": 1, "last_seq": seen["last_seq"] - 1}, "More has happened since event 4"),
            ("promote", {"number": 2}, "Rollout 2 was meant, and the present one is the rollout of"),
            ("abort", {"number": 2}, "Rollout 2 was meant"),
        ):
            refused = one.post(f"/control/rollouts/current/{path}", 409, **meant)
            assert said in refused["error"]["message"]
        assert one.now["last_seq"] == seen["last_seq"] == 5
        assert one.post("/control/rollouts/current/abort", 200, number=1, reason="a doubt")["reason"] == "a doubt"
        ended = one.reaches("rolled-back")
        assert (ended["wanted"], ended["reason"]) == (0, "a doubt")
        assert one.get("/control/rollouts/events?after=5")["events"][0]["actor"] == "local"
        assert clients.failed == []


def test_a_canary_without_a_healthy_server_is_taken_out_though_nothing_was_measured(folder: Path) -> None:
    with site(folder) as (one, green):
        one.start()
        one.reaches("acked")
        green.ready = False
        assert one.reaches("rolled-back")["reason"] == "the canary has no ready replica"


def test_what_a_rollout_left_counts_in_another_run(folder: Path) -> None:
    gateway = Gateway(environments={name: Environment(replicas=1) for name in ("blue", "green")})
    with History(folder / "podium-rollouts.db") as history:
        for event in way(Terms(environment="green", stable="blue", configured=configured(gateway))):
            history.append(event, actor="test")
    with site(folder) as (one, _):
        until("the roles are settled", lambda: one.traffic["confirmed"])
        assert (one.traffic["stable"], one.traffic["weights"]) == ("green", {"blue": 0, "green": 100})
        assert one.now["phase"] == "done"


def test_a_rollout_goes_on_after_everything_was_stopped_and_started_again(folder: Path) -> None:
    """Its servers are away at first; that is no reason to roll back, and what clients get meanwhile is no failure."""
    with site(folder) as (one, _), crowd(one.gateway, per_second=20):
        one.start(min_soak_seconds=4)
        one.reaches("observing")
    with upstream("blue") as blue, upstream("green") as green:
        green.ready = False
        with controlled_gateway(folder, blue, green) as one, crowd(one.gateway, per_second=40) as clients:
            until("clients are answered", lambda: clients.statuses.count(200) > 60, seconds=LONG_SECONDS)
            before = len(clients.statuses)
            assert (one.now["phase"], one.traffic["weights"]["green"]) == ("observing", 50)
            green.ready = True
            assert one.reaches("done")["number"] == 1
            assert set(clients.statuses[before:]) == {200}


def way(terms: Terms) -> list[e.Event]:
    return [
        e.Started(at=1, revision="v2", steps=(10_000,), terms=terms),
        e.CanaryReady(at=2),
        e.Warmed(at=3),
        e.Acknowledged(at=4, canary_units=10_000),
        e.DeadlinePassed(at=5),
        e.Drained(at=6),
    ]


@pytest.mark.parametrize(("bad_of_ten", "end"), [(0, "done"), (8, "rolled-back")])
def test_a_controller_killed_at_every_event_goes_on_where_it_was(folder: Path, bad_of_ten: int, end: str) -> None:
    """SIGKILL as soon as more events are in the file. Nothing is lost, nothing is skipped, and no client notices.

    Events that follow within milliseconds are killed together here; each one alone is in ``test_reconciler.py``.
    """
    with site(folder, bad_of_ten=bad_of_ten) as (one, _), crowd(one.gateway, per_second=30) as clients:
        one.start()
        seen = kills = 0
        while (state := killed_after(one, seen)).phase != end:
            known = read(one.history)
            seen, kills = len(known), kills + 1
            one.begin()
            told = one.get("/control/rollouts/events")["events"]
            assert [event["hash"] for event in told[:seen]] == [entry.hash.hex() for entry in known]
            assert one.now["number"] == 1
            assert weight(one) in {state.acknowledged_units / 100, state.wanted_units / 100, one.now["wanted"]}
        one.begin()
        stable = "green" if end == "done" else "blue"
        until("the roles are right", lambda: one.traffic["stable"] == stable and one.traffic["weights"][stable] == 100)
        assert clients.failed == []
        assert kills
    assert verify(one.history) == []


def killed_after(one: ControlledGateway, seen: int) -> RolloutState:
    """Kill it when there are more than ``seen`` events; the state that they lead to."""
    entries = until("something happens", lambda: more_than(one.history, seen), seconds=LONG_SECONDS)
    one.kill()
    assert entries
    course = Course()
    for entry in read(one.history):
        course = course.after(entry.event)
    return course.state


def more_than(history: Path, seen: int) -> list[Entry]:
    found = read(history)
    return found if len(found) > seen else []


def weight(one: ControlledGateway) -> float:
    found: float = one.traffic["weights"]["green"]
    return found
