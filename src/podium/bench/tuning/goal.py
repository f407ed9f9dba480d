"""What a configuration is tuned for, as one number of a run; the smaller the better."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np

from podium.bench.figures import window_of
from podium.bench.plan import RunPlan
from podium.bench.record import Outcome, RequestRecord
from podium.bench.search.objective import Objective


class Goal(StrEnum):
    """``GOAL_MEANINGS`` says each in words."""

    LATENCY = "latency-first"
    THROUGHPUT = "throughput-first"
    COST = "cost-first"


GOAL_MEANINGS = {
    Goal.LATENCY: "the lowest mean end-to-end latency from the planned time, in seconds",
    Goal.THROUGHPUT: "the most output tokens per second, as seconds per thousand tokens",
    Goal.COST: "the least processor time of the server for a thousand output tokens, in seconds",
}


class Score(msgspec.Struct, frozen=True, kw_only=True):
    """A run at its goal. ``missed``: by how much it missed an objective, as a share of requests; 0 when it kept all."""

    value: float
    missed: float

    @property
    def rank(self) -> tuple[float, float]:
        """Whoever keeps the objectives comes first, then the better value."""
        return (self.missed, self.value)


WORST = Score(value=float("inf"), missed=1.0)
"""Of a configuration that does not start or answers nothing."""


def score(
    goal: Goal, records: Sequence[RequestRecord], plan: RunPlan, objectives: Sequence[Objective], cpu_seconds: float
) -> Score:
    """What a run reached. ``cpu_seconds``: processor time of the server during the run, warm-up and drain included."""
    window = window_of(records, plan)
    inside = [r for r in records if not r.warm_up and window.begin <= r.scheduled_at < window.end]
    ok = [record for record in inside if record.outcome is Outcome.OK]
    if not ok:
        return WORST
    missed = max((float(one.bad(inside).mean()) - one.allowed for one in objectives), default=0.0)
    return Score(value=_value(goal, ok, records, window.seconds, cpu_seconds), missed=max(missed, 0.0))


def _value(
    goal: Goal, ok: Sequence[RequestRecord], every: Sequence[RequestRecord], seconds: float, cpu_seconds: float
) -> float:
    if goal is Goal.LATENCY:
        known = [value for record in ok if (value := record.since_scheduled(record.last_token_at)) is not None]
        return float(np.mean(known)) if known else WORST.value
    counted = ok if goal is Goal.THROUGHPUT else [record for record in every if record.outcome is Outcome.OK]
    tokens = sum(record.output_tokens or 0 for record in counted)
    spent = seconds if goal is Goal.THROUGHPUT else cpu_seconds
    return 1000 * spent / tokens if tokens else WORST.value
