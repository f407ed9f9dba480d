"""Requests and answers of the rollout routes. Shares are in per cent, times in seconds since 1970."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from podium.protocols.wire import WireModel

Strategy = Literal["canary", "blue-green", "linear"]
JudgedBy = Literal["evidence", "threshold"]


class RolloutRequest(WireModel):
    """Body of ``POST /control/rollouts`` and of ``POST /control/rollouts/plan``.

    Attributes:
        environment: the one that takes over; the present stable one is the other side.
        revision: a name for what runs there; by default one that follows from it. Once aborted, never started again.
        version: NAME@VERSION of a model that the environment's servers load before anything moves. Without it they
            serve what they serve.
        strategy: ``canary`` takes ``steps``, ``blue-green`` goes from none to all, ``linear`` takes ``step_count``
            equal steps over ``duration_seconds``.
        judged_by: ``evidence``, or ``threshold``: a step passes when the canary's error rate in it is at most
            ``max_error_rate`` and its servers are ready.
        steps, min_soak_seconds, max_bad_rate_increase, alpha: instead of the configured ones.
        shadow: before the first step, copy requests, ask both versions, and compare the answers. No client sees them.
        supersede: abort the rollout that runs, then start this one. Without it a running one is a conflict.
    """

    environment: str
    revision: str | None = None
    version: str | None = None
    strategy: Strategy = "canary"
    steps: list[float] | None = None
    step_count: int | None = None
    duration_seconds: float | None = None
    judged_by: JudgedBy = "evidence"
    max_error_rate: float | None = None
    min_soak_seconds: float | None = None
    max_bad_rate_increase: float | None = None
    alpha: float | None = None
    shadow: bool = False
    supersede: bool = False


class DecisionRequest(WireModel):
    """Body of the routes that decide: ``/control/rollouts/current/approve``, ``…/abort`` and ``…/promote``.

    Attributes:
        reason: goes to the log.
        number: the rollout that is meant. While another one is the current one, this is a conflict.
        last_seq: the newest event that was seen. When more has happened since, this is a conflict: what was waited for
            may not be what is waited for now. For ``abort`` leave it out: that is meant whatever has happened.
    """

    reason: str = ""
    number: int | None = None
    last_seq: int | None = None


class PlannedStep(msgspec.Struct, frozen=True, kw_only=True):
    """One step before it is taken.

    ``canary_requests`` and ``about_minutes``: what proof takes at the present traffic and bad rate, if the canary is as
    good as stable; null when nothing can be told (no traffic).
    """

    share: float
    at_least_seconds: float
    at_most_seconds: float
    canary_requests: int | None = None
    about_minutes: float | None = None


class PlanAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``POST /control/rollouts/plan``: what a start would do. ``problems``: why it would be refused now."""

    environment: str
    stable: str
    revision: str
    strategy: Strategy
    judged_by: JudgedBy
    steps: list[PlannedStep]
    requests_per_second: float
    stable_bad_rate: float | None
    about_minutes: float | None
    problems: list[str]


class ArmCounts(msgspec.Struct, frozen=True, kw_only=True):
    """Attempts of one arm in the present step, and how many were bad."""

    attempts: int = 0
    bad: int = 0


class VerdictBody(msgspec.Struct, frozen=True, kw_only=True):
    """The newest verdict. ``word``: ADVANCE, ROLLBACK or HOLD."""

    word: Literal["ADVANCE", "ROLLBACK", "HOLD"]
    reason: str
    sentence: str
    metric: str | None = None
    needs_canary_requests: int | None = None
    about_minutes: float | None = None


class EvidencePoint(msgspec.Struct, frozen=True, kw_only=True):
    """One closed interval. ``odds``: evidence against the canary as N to 1, after it."""

    at: float
    share: float
    odds: float
    stable: ArmCounts
    canary: ArmCounts


class EvidenceBody(msgspec.Struct, frozen=True, kw_only=True):
    """What is known about the canary. It is rolled back when ``odds`` reach ``alarm``.

    ``by_metric`` holds the odds of each measured metric, ``metrics`` the counts of the present step by counted metric
    as ``{"errors": {"stable": …, "canary": …}}``, ``points`` the newest intervals (at most 120), oldest first.
    ``undecided`` are attempts whose outcome was not waited for, ``late`` those of them that ended since.
    """

    odds: float
    highest_odds: float
    alarm: float
    by_metric: dict[str, float]
    metrics: dict[str, dict[str, ArmCounts]]
    intervals: int
    points: list[EvidencePoint]
    undecided: int = 0
    late: int = 0


class ShadowBody(msgspec.Struct, frozen=True, kw_only=True):
    """Answers to copied requests. ``odds`` is the evidence that the canary's are worse, as N to 1."""

    pairs: int
    only_canary_bad: int
    only_stable_bad: int
    both_bad: int
    odds: float
    highest_odds: float


class RolloutAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /control/rollouts/current``: the rollout that runs, or the last one.

    Attributes:
        number: 1 for the first rollout of the history, and so on.
        last_seq: number of the newest event of the log.
        phase: the state machine's word (``observing``, ``held``, ``done``, ``rolled-back``, …).
        ended: whether nothing more will happen.
        step: index in ``steps``, which are shares of the canary.
        wanted, confirmed: the canary's share, as wanted and as every gateway last confirmed.
        waits_for: one sentence: what has to happen next, and when it is too late.
        held_from, reason: where a held rollout stood, and why it is held or left.
        possible: what somebody may do now, of ``approve``, ``abort``, ``promote``.
    """

    number: int
    last_seq: int
    environment: str
    stable: str
    revision: str
    strategy: Strategy
    judged_by: JudgedBy
    phase: str
    ended: bool
    steps: list[float]
    step: int
    wanted: float
    confirmed: float
    started_at: float
    phase_since: float
    deadline: float | None
    waits_for: str
    reason: str
    held_from: str | None
    possible: list[str]
    cut_streams: int
    verdict: VerdictBody | None
    evidence: EvidenceBody | None
    shadow: ShadowBody | None = None


class EventBody(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the log. ``details`` is what the event holds beside its type and time, ``phase`` what followed."""

    seq: int
    at: float
    rollout: int
    actor: str
    type: str
    details: dict[str, Any]
    phase: str
    hash: str


class EventsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /control/rollouts/events?after=SEQ``: later events, oldest first, at most 500."""

    events: list[EventBody]
    last_seq: int


class RolloutSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One rollout of the past or the present. ``ended_at`` is null while it runs."""

    number: int
    environment: str
    revision: str
    strategy: Strategy
    phase: str
    reason: str
    started_at: float
    ended_at: float | None
    highest_step: float


class RolloutsAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer of ``GET /control/rollouts``: newest first."""

    rollouts: list[RolloutSummary]
