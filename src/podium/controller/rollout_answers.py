"""Rollouts as the control routes show them."""

from __future__ import annotations

import math

import msgspec

from podium.protocols.rollouts import (
    ArmCounts,
    EventBody,
    EvidenceBody,
    EvidencePoint,
    RolloutAnswer,
    RolloutSummary,
    ShadowBody,
    VerdictBody,
)
from podium.rollout.analysis.evidence import Evidence
from podium.rollout.analysis.policy import Policy
from podium.rollout.analysis.shadow_evidence import ShadowEvidence
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict
from podium.rollout.course import Course
from podium.rollout.events import Started
from podium.rollout.history import Told
from podium.rollout.reconciler import Reconciler
from podium.rollout.state import ENDED, WHOLE
from podium.rollout.telling import possible, waits_for

_PER_CENT = WHOLE / 100
_MOST_LOG = 700.0  # beyond, a float ends


def rollout_answer(course: Course, reconciler: Reconciler, *, last_seq: int, now: float) -> RolloutAnswer:
    """The rollout that runs, or the last one. ``last_seq``: number of the newest event."""
    state, terms = course.state, course.state.terms
    return RolloutAnswer(
        number=state.number,
        last_seq=last_seq,
        environment=terms.environment,
        stable=terms.stable,
        revision=state.revision or "",
        strategy=terms.strategy,
        judged_by=terms.judged_by,
        phase=state.phase,
        ended=state.phase in ENDED and state.next is None,
        steps=[units / _PER_CENT for units in state.steps],
        step=state.step,
        wanted=state.wanted_units / _PER_CENT,
        confirmed=state.acknowledged_units / _PER_CENT,
        started_at=state.started_at,
        phase_since=state.phase_since,
        deadline=state.deadline,
        waits_for=waits_for(course, reconciler.verdict, reconciler.trouble, now=now),
        reason=state.reason,
        held_from=state.held_from,
        possible=[*possible(state)],
        cut_streams=course.cut,
        verdict=None if reconciler.verdict is None else _verdict(reconciler.verdict),
        evidence=None if not course.points else _evidence(course, reconciler.late),
        shadow=None if course.shadow is None else _shadow(course.shadow),
    )


def event_body(told: Told) -> EventBody:
    """One line of the log."""
    facts = msgspec.to_builtins(told.entry.event)
    return EventBody(
        seq=told.entry.seq,
        at=facts.pop("at"),
        rollout=told.rollout,
        actor=told.entry.actor,
        type=facts.pop("type"),
        details=facts,
        phase=told.phase,
        hash=told.entry.hash.hex(),
    )


def summaries(log: list[Told]) -> list[RolloutSummary]:
    """All rollouts of a log, newest first."""
    by_number: dict[int, list[Told]] = {}
    for told in log:
        by_number.setdefault(told.rollout, []).append(told)
    return [_summary(events) for _, events in sorted(by_number.items(), reverse=True)]


def _summary(told: list[Told]) -> RolloutSummary:
    course = Course()
    highest, reason = 0, ""
    for each in told:
        course = course.after(each.entry.event)
        highest = max(highest, course.state.acknowledged_units)
        reason = course.state.reason
    state = course.state
    started = told[0].entry.event
    assert isinstance(started, Started), "this is a bug: a rollout begins with its start"  # noqa: S101
    return RolloutSummary(
        number=told[0].rollout,
        environment=started.terms.environment,
        revision=started.revision,
        strategy=started.terms.strategy,
        phase=state.phase,
        reason=reason,
        started_at=started.at,
        ended_at=told[-1].entry.event.at if state.phase in ENDED else None,
        highest_step=highest / _PER_CENT,
    )


def _verdict(verdict: Verdict) -> VerdictBody:
    match verdict:
        case Rollback():
            return VerdictBody(word="ROLLBACK", reason=verdict.reason, sentence=verdict.sentence, metric=verdict.metric)
        case Advance():
            return VerdictBody(word="ADVANCE", reason=verdict.reason, sentence=verdict.sentence)
        case Hold():
            return VerdictBody(
                word="HOLD",
                reason=verdict.reason,
                sentence=verdict.sentence,
                needs_canary_requests=verdict.needs_canary_requests,
                about_minutes=verdict.about_minutes,
            )


def _evidence(course: Course, late: int) -> EvidenceBody:
    policy: Policy = course.state.terms.policy
    evidence: Evidence | None = course.evidence
    counts = {metric: _arms(stratum) for metric, stratum in course.passed.counts.items()}
    return EvidenceBody(
        odds=_odds(evidence.log_e if evidence else 0.0),
        highest_odds=_odds(evidence.peak_log_e if evidence else 0.0),
        alarm=1 / policy.alpha,
        by_metric={} if evidence is None else {name: _odds(log_e) for name, log_e in evidence.log_es.items()},
        metrics={name: {"stable": stable, "canary": canary} for name, (stable, canary) in counts.items()},
        intervals=course.passed.intervals,
        points=[
            EvidencePoint(
                at=point.at,
                share=point.units / _PER_CENT,
                odds=_odds(point.log_e),
                stable=_arms(point.errors)[0],
                canary=_arms(point.errors)[1],
            )
            for point in course.points
        ],
        undecided=course.undecided,
        late=late,
    )


def _shadow(evidence: ShadowEvidence) -> ShadowBody:
    return ShadowBody(
        pairs=evidence.pairs,
        only_canary_bad=evidence.paired.only_canary_bad,
        only_stable_bad=evidence.paired.only_stable_bad,
        both_bad=evidence.both_bad,
        odds=_odds(evidence.log_e),
        highest_odds=_odds(evidence.peak_log_e),
    )


def _arms(stratum: Stratum) -> tuple[ArmCounts, ArmCounts]:
    return (
        ArmCounts(attempts=stratum.stable_attempts, bad=stratum.stable_bad),
        ArmCounts(attempts=stratum.canary_attempts, bad=stratum.canary_bad),
    )


def _odds(log_e: float) -> float:
    return math.exp(min(log_e, _MOST_LOG))
