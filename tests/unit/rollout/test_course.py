"""What intervals add up to, and what is said of it."""

from __future__ import annotations

import math

import msgspec
import pytest

from podium.rollout import events as e
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.verdict import Hold
from podium.rollout.course import Course, Observed
from podium.rollout.looking import look, seen
from podium.rollout.state import Phase
from podium.rollout.telling import possible, waits_for
from podium.rollout.terms import Terms

TERMS = Terms(environment="green", stable="blue", policy=Policy(interval_seconds=1))
STARTED = e.Started(at=0, revision="v2", steps=(500, 5000, 10_000), terms=TERMS)
OBSERVING: list[e.Event] = [
    STARTED,
    e.CanaryReady(at=1),
    e.Warmed(at=2),
    e.Acknowledged(at=3, canary_units=500),
    e.SplitAgreed(at=4),
]
SECOND: list[e.Event] = [e.Judged(at=5, verdict="ADVANCE", reason=""), e.Acknowledged(at=6, canary_units=5000)]


def course(*events: e.Event) -> Course:
    found = Course()
    for event in events:
        found = found.after(event)
    return found


def observed(at: float, units: int, stable: int = 19, canary: int = 1, bad: int = 0) -> Observed:
    counts = {"errors": Stratum(stable, 0, canary, bad)}
    return Observed(rollout=1, units=units, began=at, ended=at + 1, interval=Interval(counts))  # type: ignore[arg-type]


def test_at_a_new_step_promotion_is_earned_anew_and_evidence_against_the_canary_is_not_forgotten() -> None:
    first = course(*OBSERVING).observe(observed(3, 500, bad=1))
    later = first.after(SECOND[0]).after(SECOND[1]).observe(observed(6, 5000, stable=10, canary=10))
    assert first.evidence is not None
    assert later.evidence is not None
    assert later.evidence.totals["errors"] == Stratum(10, 0, 10, 0)
    assert later.evidence.sample_ratio.share == 0.5
    assert later.evidence.peak_log_e == first.evidence.peak_log_e > 0
    assert (later.passed.intervals, later.passed.counts["errors"].canary_attempts) == (1, 10)


def test_what_is_known_of_the_step_before_says_nothing_of_the_present_one() -> None:
    before = course(*OBSERVING).observe(observed(3, 500))
    assert (before.stands, seen(before)) == (True, True)
    after = before.after(SECOND[0]).after(SECOND[1])
    assert (after.stands, seen(after)) == (False, False)


def test_at_full_traffic_evidence_stays_as_it_is_and_counts_go_on() -> None:
    first = course(*OBSERVING).observe(observed(3, 500))
    full = first.observe(observed(4, 10_000, stable=0, canary=50))
    assert full.evidence == first.evidence
    assert full.passed.counts["errors"] == Stratum(0, 0, 50, 0)
    assert isinstance(look(full), Hold)


def test_another_rollout_begins_without_any_evidence() -> None:
    first = course(*OBSERVING).observe(observed(3, 500, bad=1))
    ended = first.after(e.Aborted(at=5, reason="")).after(e.Acknowledged(at=6, canary_units=0)).after(e.Drained(at=7))
    fresh = ended.after(msgspec.structs.replace(STARTED, revision="v3"))
    assert (fresh.evidence, fresh.points, fresh.passed.intervals, fresh.state.number) == (None, (), 0, 2)


def test_the_newest_120_points_are_kept() -> None:
    many = course(*OBSERVING)
    for number in range(150):
        many = many.observe(observed(number, 500))
    assert (len(many.points), many.points[0].at, many.points[-1].at) == (120, 31, 150)
    assert (many.seen_since, many.seen_until) == (0, 150)
    assert math.isclose(many.points[-1].log_e, 0.0, abs_tol=1e-9)


def test_a_split_that_is_not_as_declared_is_not_seen_as_one() -> None:
    wrong = course(*OBSERVING[:4])
    for number in range(5):
        wrong = wrong.observe(observed(number, 500, stable=10, canary=90))
    assert not seen(wrong)


@pytest.mark.parametrize(
    ("count", "said", "decisions"),
    [
        (1, "every server of green has to pass its check; after 1970-01-01 00:30:00 UTC it is aborted", ["abort"]),
        (3, "every gateway has to confirm 5 % for green; after", ["abort", "promote"]),
        (4, "requests have to arrive at green and at blue, in the declared shares; after", ["abort", "promote"]),
        (5, "a verdict; after", ["abort", "promote"]),
    ],
)
def test_it_is_told_what_has_to_happen_next_and_when_it_is_too_late(
    count: int, said: str, decisions: list[str]
) -> None:
    found = course(*OBSERVING[:count])
    assert waits_for(found, None, "", now=5).startswith(said)
    assert possible(found.state) == decisions


def test_a_hold_says_who_can_end_it_and_what_stands_in_the_way_is_told() -> None:
    held = course(*OBSERVING, e.DeadlinePassed(at=4000))
    assert waits_for(held, None, "", now=4000).startswith("somebody has to approve or abort, or proof; after")
    assert possible(held.state) == ["approve", "abort", "promote"]
    aborting = held.after(e.Superseded(at=4001, by="v3", next=msgspec.structs.replace(STARTED, revision="v3")))
    told = waits_for(aborting, None, "It says: no", now=4002)
    assert told == "every gateway has to confirm 0 % for green; then v3 is started; in the way: It says: no"
    assert possible(aborting.state) == []


def test_when_the_time_at_full_traffic_is_over_it_is_told_that_a_request_is_missing() -> None:
    baking = course(*OBSERVING, e.Skipped(at=5), e.Acknowledged(at=6, canary_units=10_000))
    assert baking.state.phase is Phase.BAKING
    assert waits_for(baking, None, "", now=10_000).startswith("no traffic: a request has to come first")
    assert waits_for(course(), None, "", now=0) == ""
