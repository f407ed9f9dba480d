"""One figure from several metrics.

The weighted mean of e-values is an e-value, whatever the metrics have to do with each other (rollout specification,
section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping

from podium.rollout.analysis.mixture import log_weighted_mean
from podium.rollout.analysis.policy import Metric


def weights_of(metrics: Collection[Metric], weights: Mapping[Metric, float]) -> dict[Metric, float]:
    """The weights of the metrics that are measured, scaled to sum to 1; metrics of weight 0 are left out.

    Which metrics are measured must be known before the first interval, or the mean is no e-value.

    Raises:
        ValueError: no measured metric has a weight.
    """
    measured = {metric: weights[metric] for metric in weights if metric in metrics and weights[metric] > 0}
    total = math.fsum(measured.values())
    if not total:
        raise ValueError(f"none of {', '.join(sorted(metrics)) or 'no metrics'} has a weight above 0")
    return {metric: weight / total for metric, weight in measured.items()}


def combined(log_es: Mapping[Metric, float], weights: Mapping[Metric, float]) -> float:
    """The natural logarithm of the weighted mean of the metrics' evidence."""
    return log_weighted_mean([log_es[metric] for metric in weights], list(weights.values()))


def strongest(log_es: Mapping[Metric, float], weights: Mapping[Metric, float]) -> Metric:
    """The metric that contributes most; the first one where several do."""
    return max(weights, key=lambda metric: math.log(weights[metric]) + log_es[metric])
