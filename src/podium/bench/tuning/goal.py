"""What a configuration is tuned for, as one number of a run; the smaller the better."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec
import numpy as np

from podium.bench.figures import tokens_within, window_of
from podium.bench.plan import RunPlan
from podium.bench.record import Outcome, RequestRecord
from podium.bench.search.objective import Objective
from podium.bench.summary import Window


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
    return Score(value=_value(goal, ok, records, window, cpu_seconds), missed=max(missed, 0.0))


def _value(
    goal: Goal, ok: Sequence[RequestRecord], every: Sequence[RequestRecord], window: Window, cpu_seconds: float
) -> float:
    if goal is Goal.LATENCY:
        known = [value for record in ok if (value := record.since_scheduled(record.last_token_at)) is not None]
        return float(np.mean(known)) if known else WORST.value
    good = [record for record in every if record.outcome is Outcome.OK]
    if goal is Goal.THROUGHPUT:  # by arrival: a batch in lockstep ends together, so whole requests come in lumps
        tokens, spent = sum(tokens_within(record, window) for record in good), window.seconds
    else:
        tokens, spent = float(sum(record.output_tokens or 0 for record in good)), cpu_seconds
    return 1000 * spent / tokens if tokens else WORST.value
