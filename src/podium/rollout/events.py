"""What can happen to a rollout. Each event is a fact with its time; decisions follow from them in ``transitions``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec

from podium.rollout.analysis.latency_process import Thresholds
from podium.rollout.analysis.policy import TimedMetric
from podium.rollout.terms import Terms


class _Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", forbid_unknown_fields=True):
    """``at``: when it happened, in seconds since 1970."""

    at: float


class Started(_Event, frozen=True, kw_only=True, tag="started"):
    """Somebody wants a revision to take over. ``steps`` in units of 10,000, increasing, the last one 10,000."""

    revision: str
    steps: tuple[int, ...]
    shadow: bool = False
    terms: Terms = Terms()


class CanaryReady(_Event, frozen=True, kw_only=True, tag="canary-ready"):
    """The canary's replicas are loaded and ready."""


class CanaryUnready(_Event, frozen=True, kw_only=True, tag="canary-unready"):
    """The canary has no ready replica any more."""


class Warmed(_Event, frozen=True, kw_only=True, tag="warmed"):
    """The environment answers through the gateway: of its warmth that is what is known (Podium sends no prompts)."""


class ShadowAgreed(_Event, frozen=True, kw_only=True, tag="shadow-agreed"):
    """Answers to copied requests are as good as the stable version's."""


class Acknowledged(_Event, frozen=True, kw_only=True, tag="acknowledged"):
    """Every live gateway runs with the canary at so many units of 10,000.

    ``slow_above``: before the first step, what is slow by the stable version's newest answers.
    """

    canary_units: int
    slow_above: Mapping[TimedMetric, Thresholds] = {}


class SplitAgreed(_Event, frozen=True, kw_only=True, tag="split-agreed"):
    """Attempts arrive on both arms, in the share that was declared."""


class Judged(_Event, frozen=True, kw_only=True, tag="judged"):
    """A verdict of the analysis that decides something; holds are not written down."""

    verdict: Literal["ADVANCE", "ROLLBACK"]
    reason: str


class DeadlinePassed(_Event, frozen=True, kw_only=True, tag="deadline-passed"):
    """The present phase lasted longer than it may. ``because``: what stood in the way, in its own words."""

    because: str = ""


class Drained(_Event, frozen=True, kw_only=True, tag="drained"):
    """The version that leaves is not waited for any more.

    ``cut``: streams that were ended for it; ``left``: streams that still ran after the longest wait, and go on.
    """

    cut: int = 0
    left: int = 0


class Approved(_Event, frozen=True, kw_only=True, tag="approved"):
    """Somebody lets a held rollout go on."""

    reason: str = ""


class Skipped(_Event, frozen=True, kw_only=True, tag="skipped"):
    """Somebody sends all traffic to the canary without waiting for proof."""

    reason: str = ""


class Aborted(_Event, frozen=True, kw_only=True, tag="aborted"):
    """Somebody wants the canary gone."""

    reason: str


class Superseded(_Event, frozen=True, kw_only=True, tag="superseded"):
    """A newer revision is wanted; this one goes first, then ``next`` is started."""

    by: str
    next: Started | None = None


Event = (
    Started
    | CanaryReady
    | CanaryUnready
    | Warmed
    | ShadowAgreed
    | Acknowledged
    | SplitAgreed
    | Judged
    | DeadlinePassed
    | Drained
    | Approved
    | Skipped
    | Aborted
    | Superseded
)
