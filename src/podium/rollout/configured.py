"""The analysis' numbers as the configuration gives them."""

from __future__ import annotations

from podium.config.rollout import MetricWeights, Rollout
from podium.rollout.analysis.policy import Metric, Policy


def policy_of(settings: Rollout) -> Policy:
    """How sure the operator wants to be."""
    return Policy(
        alpha=settings.alpha,
        beta=settings.beta,
        max_bad_rate_increase=settings.max_bad_rate_increase,
        min_canary_requests=settings.min_canary_requests,
        sample_ratio_alpha=settings.sample_ratio_alpha,
        interval_seconds=settings.interval_seconds,
        soak_seconds=settings.min_soak_seconds,
        blind_seconds=settings.blind_seconds,
    )


def weights_of(weights: MetricWeights) -> dict[Metric, float]:
    """The weight of each metric."""
    return {
        "errors": weights.errors,
        "aborted": weights.aborted,
        "ttft": weights.ttft,
        "itl": weights.itl,
        "validity": weights.validity,
    }
