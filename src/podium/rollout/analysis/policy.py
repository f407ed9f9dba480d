"""How sure one wants to be before acting: the numbers that a judgement needs."""

from __future__ import annotations

import math
from types import MappingProxyType
from typing import Literal, get_args

import msgspec

CountedMetric = Literal["errors", "aborted", "validity"]
TimedMetric = Literal["ttft", "itl"]
Metric = Literal["errors", "aborted", "ttft", "itl", "validity"]
COUNTED: tuple[CountedMetric, ...] = get_args(CountedMetric)
TIMED: tuple[TimedMetric, ...] = get_args(TimedMetric)

# Rollout specification, section 3.3: what is surest and hurts most weighs most.
WEIGHTS: MappingProxyType[Metric, float] = MappingProxyType(
    {"errors": 0.4, "aborted": 0.2, "ttft": 0.2, "itl": 0.1, "validity": 0.1}
)


class Policy(msgspec.Struct, frozen=True, kw_only=True):
    """Chances of error and amounts of proof. Probabilities and rates are between 0 and 1.

    Attributes:
        alpha: chance, over a whole rollout, that a canary no worse than stable is rolled back.
        beta: chance that a canary is promoted though its bad rate exceeds the stable one by more than allowed.
        max_bad_rate_increase: how much the bad rate may grow.
        min_canary_requests: canary requests of a step before it may advance.
        sample_ratio_alpha: chance that a correct split is called wrong.
        interval_seconds: length of an interval; makes times of counts, nothing else.
        soak_seconds: how long a step lasts at least.
        blind_seconds: an arm without attempts for so long makes the verdict blind.
        max_restarts: restarts of canary replicas that are still no crash loop.
    """

    alpha: float = 0.01
    beta: float = 0.05
    max_bad_rate_increase: float = 0.01
    min_canary_requests: int = 50
    sample_ratio_alpha: float = 0.001
    interval_seconds: float = 5.0
    soak_seconds: float = 60.0
    blind_seconds: float = 60.0
    max_restarts: int = 3

    @property
    def log_alarm(self) -> float:
        """The evidence that rolls back, as a natural logarithm."""
        return -math.log(self.alpha)

    @property
    def log_sample_ratio_alarm(self) -> float:
        """The evidence against the split that holds, as a natural logarithm."""
        return -math.log(self.sample_ratio_alpha)
