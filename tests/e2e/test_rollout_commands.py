"""``podium rollout`` against a real controller: real Envoy, servers that fail as they are told, clients who ask."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from support.command import Ended, podium
from support.deadline import until
from support.gateway_stack import RunningStack, running_stack
from support.terminal import on_terminal
from support.upstreams import Crowd, crowd, upstream

QUICK = {
    "interval_seconds": 1,
    "min_soak_seconds": 2,
    "blind_seconds": 5,
    "min_canary_requests": 5,
    "max_bad_rate_increase": 0.5,
    "bake_seconds": 2,
    "steps": [50, 100],
}


class Site:
    """A running stack with blue and green, and the commands of its operator."""

    def __init__(self, stack: RunningStack, clients: Crowd) -> None:
        self.stack = stack
        self.clients = clients
        self.folder = stack.folder
        self.address = ("--url", stack.control)

    def __call__(self, *words: str) -> Ended:
        return podium("rollout", *words, *self.address, cwd=self.folder, timeout_seconds=100)

    def json(self, *words: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self(*words, "--json").out)
        return found

    def file(self, *words: str) -> Ended:
        """A command that reads the history itself, while the controller goes on."""
        return podium("rollout", *words, cwd=self.folder)


@contextmanager
def site(folder: Path, *, bad_of_ten: int) -> Iterator[Site]:
    with ExitStack() as opened:
        blue = opened.enter_context(upstream("blue"))
        green = opened.enter_context(upstream("green"))
        green.bad_of_ten = bad_of_ten
        environments = {"blue": {"endpoints": [blue.url]}, "green": {"endpoints": [green.url]}}
        stack = opened.enter_context(running_stack(folder, rollout=QUICK, gateway={"environments": environments}))
        yield Site(stack, opened.enter_context(crowd(stack.gateway, per_second=40)))


def test_a_bad_version_is_watched_to_its_end_and_looked_back_on(tmp_path: Path) -> None:
    with site(tmp_path, bad_of_ten=5) as podium_rollout:
        never = podium_rollout("status")
        assert never.status == 4
        assert "Start one with `podium rollout start ENVIRONMENT`" in never.err
        planned = podium_rollout("plan", "green")
        assert (planned.status, planned.err) == (0, "")
        assert "green takes over from blue: canary, judged against it" in planned.out

        watched = podium_rollout("start", "green", "--watch", "--revision", "v1")
        assert watched.status == 10, watched.err
        assert "observing, step 1 of 2, 50 %" in watched.out
        assert watched.out.splitlines()[-1].startswith("green was rolled back after ")
        assert podium_rollout("status", "--watch").status == 10

        explained = podium_rollout("explain").out
        assert "has been rolled-back since" in explained
        assert "v1 is not tried again" in explained

        again = podium_rollout("start", "green", "--revision", "v1")
        assert again.status == 4
        assert "v1 was aborted and is not tried again" in again.err
        assert podium_rollout("plan", "green", "--revision", "v1").status == 2

        (entry,) = podium_rollout.json("history")["rollouts"]
        assert (entry["phase"], entry["highest_step"]) == ("rolled-back", 50.0)
        log = podium_rollout.json("events")["events"]
        assert [log[0]["type"], log[-1]["type"]] == ["started", "drained"]
        assert "every gateway confirmed 50 %" in podium_rollout("events").out

        checked = podium_rollout.file("verify-log", "--json")
        assert json.loads(checked.out)["last_event_hash"] == log[-1]["hash"]
        assert podium_rollout.file("replay").status == 10
        assert podium_rollout.file("replay", "--alpha", "1e-99").status == 11
        assert podium_rollout.clients.failed == []


def test_a_watch_that_is_left_lets_the_rollout_go_on_for_a_person_to_decide(tmp_path: Path) -> None:
    with site(tmp_path, bad_of_ten=0) as podium_rollout:
        words = ("rollout", "start", "green", "--soak", "30m", *podium_rollout.address)
        with on_terminal(*words, cwd=tmp_path) as shown:
            until("it is drawn", lambda: "▶ 50 %" in shown.text and "observing" in shown.text, seconds=60)
            podium_rollout.stack.child("podium.controller").kill()
            until("the watch has noticed", lambda: "the controller does not answer" in shown.text, seconds=20)
            until("and goes on", lambda: "the controller does not" not in shown.text[-1500:], seconds=40)
            shown.process.send_signal(signal.SIGINT)
            assert shown.process.wait(20) == 130
        assert "Stopped watching; the rollout of green goes on." in " ".join(shown.text.split())

        assert podium_rollout.json("status")["phase"] == "observing"
        assert "podium rollout promote" in podium_rollout("explain").out
        refused = podium_rollout("approve")
        assert refused.status == 4
        assert "is observing, where nobody can approve. Possible now: abort or promote." in refused.err

        assert podium_rollout("promote", "--reason", "looked at it").status == 0
        done = podium_rollout("status", "--watch")
        assert done.status == 0, done.out + done.err
        assert done.out.splitlines()[-1].startswith("green has taken over from blue after ")
        assert "promoted without proof: looked at it" in podium_rollout("events").out
        refused = podium_rollout("abort")
        assert refused.status == 4
        assert "No rollout runs, so there is nothing to abort." in refused.err
        assert podium_rollout("plan", "green").status == 2  # it is the stable one now


def test_a_newer_rollout_takes_the_place_of_the_one_that_runs(tmp_path: Path) -> None:
    with site(tmp_path, bad_of_ten=0) as podium_rollout:
        assert podium_rollout("start", "green", "--revision", "v1", "--soak", "30m").status == 0
        conflict = podium_rollout("start", "green", "--revision", "v2")
        assert conflict.status == 4
        assert "abort it first, or start with supersede" in conflict.err
        newer = podium_rollout("start", "green", "--revision", "v2", "--supersede", "--watch")
        assert newer.status == 0, newer.out + newer.err
        assert "green made room for another rollout" in newer.out
        phases = [entry["phase"] for entry in podium_rollout.json("history")["rollouts"]]
        assert phases == ["done", "superseded"]
