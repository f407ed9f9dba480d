"""What a rollout would take, at the traffic of the last minute, if the new version is as good as the old one."""

from __future__ import annotations

import msgspec

from podium.protocols.rollouts import PlanAnswer, PlannedStep
from podium.rollout.analysis.certificate import requests_to_certify
from podium.rollout.events import Started
from podium.rollout.state import WHOLE


class RecentTraffic(msgspec.Struct, frozen=True):
    """What the stable environment had lately. ``bad_rate`` is None when it had nothing."""

    requests_per_second: float = 0.0
    bad_rate: float | None = None


def plan(started: Started, recent: RecentTraffic, problems: list[str]) -> PlanAnswer:
    """The answer to "what would happen". Pure."""
    terms = started.terms
    steps = [_step(started, units, recent) for units in started.steps]
    minutes = [step.about_minutes for step in steps]
    known = [minute for minute in minutes if minute is not None]
    return PlanAnswer(
        environment=terms.environment,
        stable=terms.stable,
        revision=started.revision,
        strategy=terms.strategy,
        judged_by=terms.judged_by,
        steps=steps,
        requests_per_second=recent.requests_per_second,
        stable_bad_rate=recent.bad_rate,
        about_minutes=sum(known) + terms.preview_seconds / 60 if len(known) == len(minutes) else None,
        problems=problems,
    )


def _step(started: Started, units: int, recent: RecentTraffic) -> PlannedStep:
    terms = started.terms
    share = units / WHOLE
    if units == WHOLE:
        minutes = terms.bake_seconds / 60 if recent.requests_per_second else None
        bake = terms.bake_seconds
        return PlannedStep(share=100.0, at_least_seconds=bake, at_most_seconds=bake, about_minutes=minutes)
    needed = _needed(started, share, recent)
    soak = terms.policy.soak_seconds
    per_second = recent.requests_per_second * share
    seconds = None if needed is None or not per_second else max(soak, needed / per_second)
    return PlannedStep(
        share=share * 100,
        at_least_seconds=soak,
        at_most_seconds=terms.step_deadline_seconds,
        canary_requests=needed,
        about_minutes=None if seconds is None else seconds / 60,
    )


def _needed(started: Started, share: float, recent: RecentTraffic) -> int | None:
    policy = started.terms.policy
    if recent.bad_rate is None:
        return None
    if started.terms.judged_by == "threshold":
        return 1
    return requests_to_certify(
        recent.bad_rate,
        beta=policy.beta,
        max_increase=policy.max_bad_rate_increase,
        at_least=policy.min_canary_requests,
        stable_per_canary=(1 - share) / share,
    )
