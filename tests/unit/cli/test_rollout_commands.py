"""``podium rollout`` against a control port that tells whatever a test needs: real HTTP, canned answers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from podium.protocols.rollouts import PlanAnswer, PlannedStep
from support.command import Command
from support.fake_server import Canned, FakeServer, fake_server
from support.ports import free_port
from support.rollout_answers import (
    CURRENT,
    EVIDENCE,
    PLAN,
    canned,
    event,
    listed,
    log_of,
    refused,
    rollout,
    summary,
)

Routes = dict[str, Canned | list[Canned]]

NOTHING_LOGGED = log_of()


def _at(phase: str, step: int, share: float) -> dict[str, Any]:
    return {"phase": phase, "step": step, "wanted": share, "confirmed": share}


def test_a_plan_tells_requests_and_minutes_of_each_step(command: Command) -> None:
    with fake_server({"POST /control/rollouts/plan": canned(PLAN)}) as server:
        ended = command("rollout", "plan", "green", "--url", server.url)
    lines = ended.out.splitlines()
    assert (ended.status, ended.err) == (0, "")
    assert lines[0] == "green takes over from blue: canary, judged against it"
    assert lines[1] == "revision green-7; 4 requests a second at present, 0.50% of it bad"
    assert lines[4].split() == ["1", "25", "%", "1,900", "32", "min", "1", "min", "1", "h"]
    assert lines[5].split() == ["2", "100", "%", "-", "-", "1", "min", "1", "h"]
    assert lines[-1] == "in all about 1 h 32 min, if green is as good as blue"


def test_a_plan_that_would_be_refused_ends_with_2_and_says_why(command: Command) -> None:
    problems = ["a rollout runs already", "green has no ready server"]
    with fake_server({"POST /control/rollouts/plan": canned(_planned(problems=problems))}) as server:
        ended = command("rollout", "plan", "green", "--url", server.url)
        as_json = command("rollout", "plan", "green", "--url", server.url, "--json")
    assert ended.status == as_json.status == 2
    assert ended.err.splitlines() == [f"warning: would be refused: {problem}" for problem in problems]
    assert json.loads(as_json.out)["problems"] == problems


def test_a_plan_of_what_can_never_be_ends_with_2_too(command: Command) -> None:
    refusal = refused("there is no environment of that name; there are blue, green.", 400, "invalid_request")
    with fake_server({"POST /control/rollouts/plan": refusal}) as server:
        ended = command("rollout", "plan", "gren", "--url", server.url)
    assert ended.status == 2
    assert "there are blue, green" in ended.err


def test_without_traffic_a_plan_says_that_no_time_can_be_told(command: Command) -> None:
    steps = [PlannedStep(share=100, at_least_seconds=60, at_most_seconds=3600)]
    quiet = _planned(requests_per_second=0.0, stable_bad_rate=None, about_minutes=None, steps=steps)
    with fake_server({"POST /control/rollouts/plan": canned(quiet)}) as server:
        out = command("rollout", "plan", "green", "--url", server.url).out
    assert "no traffic at present" in out
    assert "cannot be told: there is no traffic" in out


def test_every_option_reaches_the_controller_in_its_units(command: Command) -> None:
    words = (
        "green", "--revision", "v2", "--version", "m@2", "--strategy", "linear", "--steps", "10,100",
        "--step-count", "4",
        "--duration", "2h", "--judged-by", "threshold", "--max-error-rate", "0.05", "--soak", "30s",
        "--max-bad-rate-increase", "0.02", "--alpha", "0.001", "--shadow", "--supersede",
    )  # fmt: skip
    routes = {
        "POST /control/rollouts/plan": canned(PLAN),
        "POST /control/rollouts": canned(rollout("preparing"), 201),
    }
    with fake_server(routes) as server:
        command("rollout", "plan", *words, "--url", server.url)
        command("rollout", "start", *words, "--url", server.url, "--no-watch", "--json")
        (_, planned), (_, started) = server.requests
    assert planned == started
    assert planned == {
        "environment": "green",
        "revision": "v2",
        "version": "m@2",
        "strategy": "linear",
        "steps": [10.0, 100.0],
        "step_count": 4,
        "duration_seconds": 7200.0,
        "judged_by": "threshold",
        "max_error_rate": 0.05,
        "min_soak_seconds": 30.0,
        "max_bad_rate_increase": 0.02,
        "alpha": 0.001,
        "shadow": True,
        "supersede": True,
    }


@pytest.mark.parametrize(
    ("option", "said"),
    [
        (("--steps", "5;100"), "--steps 5;100: shares with commas between are needed, such as 5,25,100"),
        (("--soak", "5"), "--soak 5: a number and a unit is needed"),
        (("--duration", "soon"), "--duration soon: a number and a unit is needed"),
    ],
)
def test_an_option_that_cannot_be_read_is_told_before_anything_is_asked(
    command: Command, option: tuple[str, str], said: str
) -> None:
    with fake_server({}) as server:
        ended = command("rollout", "start", "green", *option, "--url", server.url)
        assert server.requests == []
    assert ended.status == 2
    assert said in ended.err


def test_a_start_shows_its_plan_and_does_not_wait_where_nobody_watches(command: Command) -> None:
    routes = {"POST /control/rollouts/plan": canned(PLAN), "POST /control/rollouts": canned(rollout("preparing"), 201)}
    with fake_server(routes) as server:
        ended = command("rollout", "start", "green", "--url", server.url)
    assert ended.status == 0
    assert "1,900" in ended.out
    assert ended.out.splitlines()[-1].startswith("rollout 3 has begun; `podium rollout status --watch`")


def test_a_start_that_is_refused_ends_with_4_and_the_controllers_words(command: Command) -> None:
    routes = {
        "POST /control/rollouts/plan": canned(_planned(problems=["a rollout runs already"])),
        "POST /control/rollouts": refused("A rollout of red runs; abort it, or say supersede."),
    }
    with fake_server(routes) as server:
        ended = command("rollout", "start", "green", "--url", server.url)
    assert ended.status == 4
    assert ended.err.endswith("error: A rollout of red runs; abort it, or say supersede. [conflict, r1]\n")


@pytest.mark.parametrize(
    ("phase", "status", "sentence"),
    [
        ("done", 0, "green has taken over from blue after 1 min 40 s."),
        ("rolled-back", 10, "green was rolled back after 1 min 40 s, blue serves everything: worse in errors."),
        ("superseded", 11, "green made room for another rollout after 1 min 40 s: worse in errors."),
        ("held", 11, "green is held at 25 %: worse in errors. `podium rollout explain` says what next."),
    ],
)
def test_watching_says_each_change_once_and_ends_as_the_rollout_does(
    command: Command, phase: str, status: int, sentence: str
) -> None:
    shown = [rollout("applying", confirmed=5.0), rollout(), rollout(), rollout(phase, reason="worse in errors")]
    routes: Routes = {CURRENT: [canned(one) for one in shown], **NOTHING_LOGGED}
    with fake_server(routes) as server:
        ended = command("rollout", "status", "--watch", "--url", server.url)
    lines = [line.partition(" ")[2] for line in ended.out.splitlines()[:-1]]
    assert ended.status == status
    assert [line.split(",")[0] for line in lines] == ["observing", phase]  # the first answer only begins the watching
    assert "step 2 of 4, 25 %; HOLD (evidence): needs 1,200 more canary requests" in lines[0]
    assert "evidence 3.25 to 1" in lines[0]
    assert ended.out.splitlines()[-1] == sentence


def test_a_watch_for_a_program_writes_progress_beside_one_document(command: Command) -> None:
    routes: Routes = {
        "POST /control/rollouts": canned(rollout("preparing", step=0), 201),
        CURRENT: [canned(rollout()), canned(rollout("rolled-back"))],
        **NOTHING_LOGGED,
    }
    with fake_server(routes) as server:
        ended = command("rollout", "start", "green", "--watch", "--json", "--url", server.url)
    assert ended.status == 10
    assert json.loads(ended.out)["phase"] == "rolled-back"
    assert [line.split()[1] for line in ended.err.splitlines()] == ["observing,", "rolled-back,"]


def test_a_start_that_supersedes_shows_how_the_other_makes_room_and_then_its_own(command: Command) -> None:
    red = rollout("aborting", environment="red", reason="superseded by green-7")
    gone = rollout("superseded", environment="red", reason="superseded by green-7")
    routes: Routes = {
        "POST /control/rollouts/plan": canned(PLAN),
        "POST /control/rollouts": canned(red, 201),
        CURRENT: [canned(red), canned(gone), canned(gone), canned(rollout("done", number=4))],
        **NOTHING_LOGGED,
    }
    with fake_server(routes) as server:
        ended = command("rollout", "start", "green", "--supersede", "--watch", "--url", server.url)
    assert ended.status == 0
    lines = ended.out.splitlines()
    assert "red made room for another rollout after 1 min 40 s: superseded by green-7." in lines
    assert lines[-1] == "green has taken over from blue after 1 min 40 s."


def test_a_rollout_that_another_one_followed_is_told_by_its_own_end(command: Command) -> None:
    later = canned(rollout("preparing", number=4, environment="red"))
    routes: Routes = {
        CURRENT: [canned(rollout()), later],
        **listed(summary(4, "preparing", ended_at=None), summary(3, "superseded", reason="superseded by red-1")),
        **NOTHING_LOGGED,
    }
    with fake_server(routes) as server:
        ended = command("rollout", "status", "--watch", "--url", server.url)
    assert ended.status == 11
    assert "green made room for another rollout" in ended.out


def test_a_controller_that_restarts_while_it_is_watched_is_waited_for(command: Command) -> None:
    away = refused("starting", 503, "unavailable")
    routes: Routes = {
        CURRENT: [canned(rollout()), away, away, canned(rollout("done"))],
        **NOTHING_LOGGED,
    }
    with fake_server(routes) as server:
        ended = command("rollout", "status", "--watch", "--url", server.url)
    assert ended.status == 0
    assert ended.out.count("the controller does not answer; the gateway goes on as it is") == 1


def test_ctrl_c_stops_the_watching_and_says_that_the_rollout_goes_on(
    command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(_: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("podium.cli.rollout.watching.time.sleep", interrupted)
    with fake_server({CURRENT: canned(rollout()), **NOTHING_LOGGED}) as server:
        ended = command("rollout", "status", "--watch", "--url", server.url)
        assert [route for route, _ in server.requests if route.startswith("POST")] == []
    assert ended.status == 130
    assert "the rollout of green goes on" in ended.err
    assert "`podium rollout abort` ends it" in ended.err


def test_the_status_is_a_picture_of_everything_known(command: Command) -> None:
    routes = {CURRENT: canned(rollout()), **log_of(event(7, "acknowledged", canary_units=2500))}
    with fake_server(routes) as server:
        out = command("rollout", "status", "--url", server.url).out
    lines = {line[:11].strip(): line[11:].strip() for line in out.splitlines() if line[:9].strip()}
    assert lines["rollout"] == "green takes over from blue  (number 3, canary, green-7)"
    assert lines["steps"] == "✔ 5 %   ▶ 25 %   · 50 %   · 100 %"
    assert lines["traffic"] == "█" * 10 + "─" * 30 + " 25 %"
    assert lines["phase"].startswith("observing, for ")
    assert lines["waits for"] == "a verdict; after 2027-01-15 09:01:40 UTC it is held"
    assert lines["evidence"] == "3.25 to 1 that green is worse; rolled back at 100 to 1"
    assert lines["errors"] == "blue 9 of 1,900 (0.47%)   green 2 of 100 (2.00%)"
    assert lines["verdict"].startswith("HOLD (evidence): needs 1,200 more")
    assert lines["events"].endswith("every gateway confirmed 25 %  → observing")
    assert "▁▂▃▂" in out


@pytest.mark.parametrize(
    ("changes", "track", "bar"),
    [
        (
            {"phase": "preparing", "step": 0, "wanted": 0.0, "confirmed": 0.0},
            "· 5 %   · 25 %   · 50 %   · 100 %",
            " 0 %",
        ),
        ({"phase": "applying", "confirmed": 5.0}, "✔ 5 %   ▶ 25 %   · 50 %   · 100 %", "██▒▒▒▒▒▒▒▒──"),
        (
            {"phase": "done", "step": 3, "wanted": 100.0, "confirmed": 100.0},
            "✔ 5 %   ✔ 25 %   ✔ 50 %   ✔ 100 %",
            "█ 100 %",
        ),
        (_at("rolled-back", 1, 0.0), "✔ 5 %   ✘ 25 %   · 50 %   · 100 %", "── 0 %"),
    ],
)
def test_the_track_and_the_bar_tell_done_present_and_to_come(
    command: Command, changes: dict[str, Any], track: str, bar: str
) -> None:
    with fake_server({CURRENT: canned(rollout(**changes)), **NOTHING_LOGGED}) as server:
        out = command("rollout", "status", "--url", server.url).out
    assert track in out
    assert bar in out


@pytest.mark.parametrize("decision", ["approve", "abort", "promote"])
def test_a_decision_is_sent_with_its_reason_and_tells_what_follows(command: Command, decision: str) -> None:
    answer = canned(rollout("aborting", waits_for="every gateway to confirm 0 %"))
    route = f"POST /control/rollouts/current/{decision}"
    with fake_server({CURRENT: canned(rollout("held")), route: answer}) as server:
        ended = command("rollout", decision, "--reason", "because", "--url", server.url)
        seen = {"number": 3} if decision == "abort" else {"number": 3, "last_seq": 17}
        assert server.requests[-1] == (route, {"reason": "because", **seen})
        command("rollout", decision, "--number", "2", "--url", server.url)
        assert server.requests[-1][1]["number"] == 2
        as_json = command("rollout", decision, "--url", server.url, "--json")
    assert ended.out == "rollout 3 of green is aborting; every gateway to confirm 0 %\n"
    assert json.loads(as_json.out)["phase"] == "aborting"


def test_the_history_lists_rollouts_with_how_they_ended(command: Command) -> None:
    rows = listed(summary(3, "observing", ended_at=None), summary(2, "rolled-back", reason="worse in errors"))
    with fake_server(rows) as server:
        lines = command("rollout", "history", "--url", server.url).out.splitlines()
        shown = json.loads(command("rollout", "history", "--url", server.url, "--json").out)
    assert " ".join(lines[1].split()) == "3 green green-3 canary 2027-01-15 08:00 UTC - 25 % observing -"
    assert " ".join(lines[2].split()) == (
        "2 green green-2 canary 2027-01-15 08:00 UTC 2 min 5 s 25 % rolled-back worse in errors"
    )
    assert [one["number"] for one in shown["rollouts"]] == [3, 2]


def test_events_are_listed_page_after_page(command: Command) -> None:
    """The route gives some at a time; the command asks until there are no more."""
    log = [event(1, "started", "preparing", revision="v1", steps=[500, 10000]), event(2, "canary-ready", "warming")]
    first, second, nothing = log_of(*log[:1]), log_of(*log), log_of()
    pages = {
        "GET /control/rollouts/events?after=0": first["GET /control/rollouts/events?after=0"],
        "GET /control/rollouts/events?after=1": second["GET /control/rollouts/events?after=1"],
        "GET /control/rollouts/events?after=2": nothing["GET /control/rollouts/events?after=0"],
    }
    with fake_server(pages) as server:
        lines = command("rollout", "events", "--url", server.url).out.splitlines()
        later = json.loads(command("rollout", "events", "--after", "1", "--json", "--url", server.url).out)
    assert [line.split()[0] for line in lines[1:]] == ["1", "2"]
    assert "v1 was started: 5, 100 %" in lines[1]
    assert [one["seq"] for one in later["events"]] == [2]
    assert later["last_seq"] == 2


def test_without_a_controller_a_command_ends_with_3_and_names_what_starts_one(command: Command) -> None:
    ended = command("rollout", "status", "--url", f"http://127.0.0.1:{free_port()}")
    assert ended.status == 3
    assert "start a server with `podium up`" in ended.err


def test_the_key_goes_along(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PODIUM_API_KEY", "secret")
    with fake_server({CURRENT: canned(rollout()), **NOTHING_LOGGED}) as server:
        assert command("rollout", "explain", "--url", server.url).status == 0
        assert _authorizations(server) == ["Bearer secret"]


def _authorizations(server: FakeServer) -> list[str]:
    return [headers["authorization"] for headers in server.headers]


def _planned(**changes: Any) -> PlanAnswer:

    return msgspec.structs.replace(PLAN, **changes)


def test_an_explanation_says_why_what_ends_it_and_what_can_be_done(command: Command) -> None:
    with fake_server({CURRENT: canned(rollout())}) as server:
        out = command("rollout", "explain", "--url", server.url).out
    assert out.startswith("Rollout 3 of green over blue has been observing for ")
    assert "at step 2 of 4 with 25 % of the traffic" in out
    assert "It waits for this: a verdict; after 2027" in out
    assert "In errors, 2 of 100 were bad on green in this step, 9 of 1,900 on blue." in out
    assert "At 100 to 1 it is rolled back" in out
    assert "At a share of 50 % as many canary requests come in 10 min" in out
    assert "The time for what is waited for is over in " in out
    assert "podium rollout abort            takes all traffic from green" in out
    assert "podium rollout promote" in out
    assert "podium rollout approve" not in out


def test_an_explanation_of_an_ended_rollout_tells_the_reason_and_nothing_to_come(command: Command) -> None:
    gone = rollout("rolled-back", reason="the canary is worse in errors", evidence=EVIDENCE)
    with fake_server({CURRENT: canned(gone)}) as server:
        out = command("rollout", "explain", "--url", server.url).out
        shown = json.loads(command("rollout", "explain", "--url", server.url, "--json").out)
    assert "because: the canary is worse in errors" in out
    assert "green-7 is not tried again" in out
    assert "What would end it" not in out
    assert [entry["command"] for entry in shown["commands"]] == ["podium rollout plan ENV"]
    assert shown["phase"] == "rolled-back"
