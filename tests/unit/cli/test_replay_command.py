"""``podium rollout replay``: what a history recorded, judged anew by the real analysis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.policy import CountedMetric, Policy
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.course import Observed
from podium.rollout.events import Acknowledged, CanaryReady, Judged, SplitAgreed, Started, Warmed
from podium.rollout.history import History
from podium.rollout.terms import Terms
from support.command import Command

FILE = Path("podium-rollouts.db")  # the configured name
TERMS = Terms(environment="green", stable="blue", policy=Policy(interval_seconds=5.0))


def recorded(*bad: int, judged: bool = True) -> None:
    """A rollout at 10 % with 45 and 5 attempts in each interval, ``bad`` ones of them the canary's."""
    with History(FILE) as log:
        log.append(Started(at=0.0, revision="v1", steps=(1000, 10_000), terms=TERMS), actor="ada")
        for event in (CanaryReady(at=1.0), Warmed(at=2.0), Acknowledged(at=3.0, canary_units=1000)):
            log.append(event, actor="controller")
        for number, count in enumerate(bad):
            counts: dict[CountedMetric, Stratum] = {"errors": Stratum(45, 0, 5, count), "aborted": Stratum(45, 0, 5, 0)}
            began = 5.0 * number
            log.observe(Observed(rollout=1, units=1000, began=began, ended=began + 5, interval=Interval(counts)))
            if number == 0:
                log.append(SplitAgreed(at=6.0), actor="controller")
        if judged:
            log.append(Judged(at=99.0, verdict="ROLLBACK", reason="worse in errors"), actor="controller")


def test_with_the_policy_of_then_it_ends_as_then(command: Command) -> None:
    recorded(2, 2)
    ended = command("rollout", "replay")
    assert ended.status == 10
    lines = ended.out.splitlines()
    assert lines[0] == "rollout 1 of green over blue is aborting: worse in errors"
    assert lines[1] == "judged with alpha 0.01 (then 0.01), a bad rate may grow by 0.01 (then 0.01):"
    assert lines[3].startswith("ROLLBACK (evidence): the canary is worse in errors")


def test_another_policy_may_say_otherwise(command: Command) -> None:
    recorded(2, 2)
    ended = command("rollout", "replay", "--alpha", "1e-9", "--json")
    shown = json.loads(ended.out)
    assert (ended.status, shown["verdict"]) == (11, "HOLD")
    assert (shown["rollout"], shown["phase"], shown["alpha"]) == (1, "aborting", 1e-9)
    assert [look["interval"] for look in shown["looks"]] == ["00:00:05", "00:00:10"]
    assert {look["share"] for look in shown["looks"]} == {0.1}


def test_a_larger_increase_advances_where_a_smaller_one_holds(command: Command) -> None:
    recorded(*[0] * 20, judged=False)
    assert command("rollout", "replay").status == 11
    assert command("rollout", "replay", "--max-bad-rate-increase", "0.2").status == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--number", "2"), "podium-rollouts.db: no rollout 2 is in it; there are 1 to 1"),
        (("--alpha", "1"), "--alpha 1; needed: above 0, below 1"),
        (("--max-bad-rate-increase", "0"), "--max-bad-rate-increase 0; needed: above 0"),
        (("other.db",), "other.db: no such file"),
        (("text.db",), "text.db: file is not a database; `podium rollout verify-log text.db` says more"),
    ],
)
def test_what_cannot_be_replayed_ends_with_2(command: Command, words: tuple[str, ...], said: str) -> None:
    recorded(0)
    Path("text.db").write_text("not a database, but long enough to be looked at" * 30)
    ended = command("rollout", "replay", *words)
    assert ended.status == 2
    assert said in ended.err


def test_a_rollout_without_a_counted_interval_is_told(command: Command) -> None:
    with History(FILE) as log:
        log.append(Started(at=0.0, revision="v1", steps=(1000, 10_000), terms=TERMS), actor="ada")
    ended = command("rollout", "replay")
    assert ended.status == 2
    assert "nothing was compared in rollout 1" in ended.err
