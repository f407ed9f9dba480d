"""What is proven about the best candidate: it beats the default, or it does not by more than so much."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from podium.bench.comparison.paired import sign_flip
from podium.bench.tuning.goal import Score

ALPHA = 0.05


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The candidate against the default at the goal: -0.1 needs 10 % less. The interval holds with 95 %."""

    change: float
    interval: tuple[float, float] | None
    p_value: float
    pairs: int
    default_value: float  # geometric means of the goal's figure
    candidate_value: float
    default_missed: int  # runs that missed an objective
    candidate_missed: int

    @property
    def better(self) -> bool:
        """Whether the candidate is proven to be better, and keeps the objectives no less often."""
        return self.p_value <= ALPHA and self.change < 0 and self.candidate_missed <= self.default_missed

    @property
    def most_gained(self) -> float | None:
        """With 95 % confidence the candidate saves no more than this share; None: too few runs to say."""
        return None if self.interval is None else max(0.0, -self.interval[0])


def prove(default: Sequence[Score], candidate: Sequence[Score]) -> Proof:
    """Compare runs that were taken in pairs. Every value must be finite and above 0."""
    before, after = (np.log([score.value for score in side]) for side in (default, candidate))
    found = sign_flip(after - before, ALPHA)
    interval = None if found.interval is None else (math.expm1(found.interval[0]), math.expm1(found.interval[1]))
    return Proof(
        change=math.expm1(found.mean),
        interval=interval,
        p_value=found.p_value,
        pairs=len(default),
        default_value=math.exp(before.mean()),
        candidate_value=math.exp(after.mean()),
        default_missed=sum(score.missed > 0 for score in default),
        candidate_missed=sum(score.missed > 0 for score in candidate),
    )
