"""From evidence to verdicts: no data decides nothing, and a resumed judgement is the uninterrupted one."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable
from typing import get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.rollout.analysis.combination import combined, strongest, weights_of
from podium.rollout.analysis.evidence import Evidence
from podium.rollout.analysis.guards import Condition
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.judgement import judge, minutes_at
from podium.rollout.analysis.latency_process import Samples
from podium.rollout.analysis.policy import WEIGHTS, Metric, Policy
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.verdict import Advance, Hold, Rollback

POLICY = Policy()
ALL: tuple[Metric, ...] = get_args(Metric)


def errors(stable: int, stable_bad: int, canary: int, canary_bad: int) -> Interval:
    return Interval({"errors": Stratum(stable, stable_bad, canary, canary_bad)})


def fed(intervals: Iterable[Interval], share: float = 0.1) -> Evidence:
    evidence = Evidence.start({"errors"}, share)
    for interval in intervals:
        evidence = evidence.after(interval)
    return evidence


def rich(seed: int) -> Interval:
    """An interval with all five metrics."""
    source = random.Random(seed)  # noqa: S311 - a simulation
    table = Stratum(45, source.randint(0, 2), 5, source.randint(0, 1))
    times = Samples(
        tuple(source.lognormvariate(0, 0.6) for _ in range(45)), tuple(source.lognormvariate(0, 0.6) for _ in range(5))
    )
    counts = {"errors": table, "aborted": Stratum(45, 0, 5, 0), "validity": table}
    return Interval(counts, {"ttft": times, "itl": times}, (45, 5))  # type: ignore[arg-type]


def test_a_canary_as_good_as_stable_advances() -> None:
    verdict = judge(fed([errors(45, 0, 5, 0)] * 400), POLICY)
    assert isinstance(verdict, Advance)
    assert verdict.certificates["errors"].increase_at_most <= 0.01


def test_a_bad_canary_is_rolled_back_and_the_metric_named() -> None:
    verdict = judge(fed([errors(45, 0, 5, 2)] * 3), POLICY)
    assert isinstance(verdict, Rollback)
    assert (verdict.reason, verdict.metric) == ("evidence", "errors")


def test_a_rollback_is_never_taken_back() -> None:
    evidence = fed([errors(45, 0, 5, 2)] * 3 + [errors(45, 4, 5, 0)] * 500)
    assert evidence.log_e < 0
    assert isinstance(judge(evidence, POLICY), Rollback)


def test_no_data_is_never_a_pass_and_never_a_fail() -> None:
    for intervals in (0, 1, 11, 10_000):
        verdict = judge(fed([errors(0, 0, 0, 0)] * intervals), POLICY)
        assert isinstance(verdict, Hold)
        assert verdict.needs_canary_requests is None
        assert verdict.reason == ("blind" if intervals >= 12 else "evidence")


@pytest.mark.parametrize("silent", [errors(50, 5, 0, 0), errors(0, 0, 5, 5)], ids=["canary", "stable"])
def test_an_arm_without_traffic_holds_however_the_other_one_fares(silent: Interval) -> None:
    evidence = Evidence.start({"errors"}, 0.1)
    for _ in range(400):
        evidence = evidence.after(msgspec.structs.replace(silent, assigned=(0, 0)))
    verdict = judge(evidence, POLICY)
    assert isinstance(verdict, Hold)
    assert verdict.reason == "blind"


def test_a_certified_canary_whose_traffic_stops_holds() -> None:
    good = [errors(45, 0, 5, 0)] * 400
    assert isinstance(judge(fed([*good, *[errors(0, 0, 0, 0)] * 11]), POLICY), Advance)
    assert isinstance(judge(fed([*good, *[errors(0, 0, 0, 0)] * 12]), POLICY), Hold)


def test_a_hold_says_how_many_requests_and_minutes_and_they_suffice() -> None:
    verdict = judge(fed([errors(45, 0, 5, 0)] * 20), POLICY)
    assert isinstance(verdict, Hold)
    assert verdict.needs_canary_requests is not None
    assert verdict.about_minutes == pytest.approx(verdict.needs_canary_requests / 60)  # 5 in 5 seconds
    more = math.ceil(verdict.needs_canary_requests / 5)
    assert isinstance(judge(fed([errors(45, 0, 5, 0)] * (20 + more)), POLICY), Advance)
    assert isinstance(judge(fed([errors(45, 0, 5, 0)] * (20 + more - 2)), POLICY), Hold)


def test_a_larger_share_takes_less_time() -> None:
    evidence = fed([errors(45, 0, 5, 0)] * 20)
    verdict = judge(evidence, POLICY)
    faster = minutes_at(evidence, POLICY, 0.5)
    assert isinstance(verdict, Hold)
    assert verdict.about_minutes is not None
    assert faster is not None
    assert 0 < faster < verdict.about_minutes
    assert minutes_at(evidence, POLICY, 0.1) == pytest.approx(verdict.about_minutes)
    assert minutes_at(evidence, POLICY, 1.0) is None


def test_a_canary_slightly_too_bad_holds_and_says_that_no_number_is_enough() -> None:
    verdict = judge(fed([errors(180, 1, 20, 0), errors(180, 1, 20, 0), errors(180, 1, 20, 1)] * 2), POLICY)
    assert isinstance(verdict, Hold)
    assert (verdict.reason, verdict.needs_canary_requests, verdict.about_minutes) == ("evidence", None, None)
    assert "no number of requests" in verdict.sentence


def test_a_proven_canary_still_soaks() -> None:
    verdict = judge(fed([errors(45_000, 0, 5_000, 0)] * 3), POLICY)
    assert isinstance(verdict, Hold)
    assert (verdict.reason, verdict.needs_canary_requests, verdict.about_minutes) == ("soak", 0, 0.75)


def test_a_wrong_split_holds_unless_the_canary_is_already_known_to_be_bad() -> None:
    verdict = judge(fed([errors(25, 0, 25, 0)] * 20), POLICY)
    assert isinstance(verdict, Hold)
    assert verdict.reason == "instrumentation"
    assert "50.000%" in verdict.sentence
    assert isinstance(judge(fed([errors(25, 0, 25, 25)] * 20), POLICY), Rollback)


@pytest.mark.parametrize(
    ("condition", "reason"), [(Condition(ready_replicas=0), "unready"), (Condition(restarts=4), "crash-loop")]
)
def test_a_canary_that_cannot_serve_is_rolled_back_without_evidence(condition: Condition, reason: str) -> None:
    verdict = judge(fed([]), POLICY, condition)
    assert isinstance(verdict, Rollback)
    assert verdict.reason == reason


def test_what_is_not_known_of_replicas_is_no_offence() -> None:
    for condition in (Condition(), Condition(ready_replicas=1, restarts=3)):
        assert isinstance(judge(fed([]), POLICY, condition), Hold)


def test_promotion_is_earned_anew_at_each_step_and_evidence_runs_on() -> None:
    evidence = fed([errors(45, 1, 5, 1)] * 3 + [errors(45, 0, 5, 0)] * 600)
    later = evidence.at_step(0.25)
    assert isinstance(judge(evidence, POLICY), Advance)
    assert isinstance(judge(later, POLICY), Hold)
    assert later.log_e == evidence.log_e
    assert later.peak_log_e == evidence.peak_log_e > 0


def test_every_counted_metric_must_be_certified() -> None:
    evidence = Evidence.start({"errors", "validity"}, 0.1)
    for number in range(600):
        fine, odd = Stratum(45, 0, 5, 0), Stratum(45, 0, 5, int(number % 6 == 0))
        evidence = evidence.after(Interval({"errors": fine, "validity": odd}))
    assert not isinstance(judge(evidence, POLICY), Advance)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 10_000), max_size=20), st.integers(0, 20))
def test_a_resumed_judgement_is_the_uninterrupted_one(seeds: list[int], cut: int) -> None:
    """Bit for bit: the state, and so every verdict."""
    through = resumed = Evidence.start(ALL, 0.1)
    for number, seed in enumerate(seeds):
        if number == cut:
            resumed = Evidence.from_json(resumed.to_json())
        if number == 5:
            through, resumed = through.at_step(0.25), resumed.at_step(0.25)
        through, resumed = through.after(rich(seed)), resumed.after(rich(seed))
        assert judge(resumed, POLICY) == judge(through, POLICY)
    assert resumed.to_json() == through.to_json()


def test_a_state_with_frozen_thresholds_survives_being_written() -> None:
    evidence = Evidence.start(ALL, 0.1)
    for seed in range(60):
        evidence = evidence.after(rich(seed))
    assert evidence.timed["ttft"].thresholds is not None
    assert Evidence.from_json(evidence.to_json()) == evidence


def test_a_damaged_state_is_refused() -> None:
    with pytest.raises(msgspec.DecodeError):
        Evidence.from_json(fed([]).to_json()[:-2])
    with pytest.raises(msgspec.ValidationError):
        Evidence.from_json(b"{}")


def test_the_suggested_weights_sum_to_one_and_are_scaled_to_what_is_measured() -> None:
    assert math.fsum(WEIGHTS.values()) == pytest.approx(1.0)
    assert weights_of({"errors", "ttft"}, WEIGHTS) == {
        "errors": pytest.approx(2 / 3),
        "ttft": pytest.approx(1 / 3),
    }


def test_the_combined_evidence_is_the_weighted_mean_and_the_reason_its_largest_part() -> None:
    log_es: dict[Metric, float] = {"errors": math.log(10), "ttft": math.log(30)}
    weights: dict[Metric, float] = {"errors": 0.6, "ttft": 0.4}
    assert combined(log_es, weights) == pytest.approx(math.log(18))
    assert strongest(log_es, weights) == "ttft"
    assert combined({"errors": 5000.0, "ttft": -5000.0}, weights) == pytest.approx(5000 + math.log(0.6))


@pytest.mark.parametrize("metrics", [set(), {"ttft"}])
def test_a_canary_without_counted_metrics_cannot_be_judged(metrics: set[Metric]) -> None:
    with pytest.raises(ValueError, match="measure one of"):
        Evidence.start(metrics, 0.1)


def test_metrics_without_weight_cannot_be_judged() -> None:
    with pytest.raises(ValueError, match="weight above 0"):
        Evidence.start({"errors"}, 0.1, {"ttft": 1.0})


@pytest.mark.parametrize("share", [0.0, -0.1, 1.1])
def test_a_share_that_is_none_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match="canary share"):
        Evidence.start({"errors"}, share)
    with pytest.raises(ValueError, match="canary share"):
        fed([]).at_step(share)
