"""The few statistics that a run's own figures need: exact percentiles with bounds, a trend, a test of arrivals."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from podium.bench.summary import Distribution, Percentile

PERCENTS = (50.0, 90.0, 95.0, 99.0, 99.9)
CONFIDENCE = 0.99
BATCHES = 10
T_975_8 = 2.306  # Student's t at 97.5 %, 8 degrees of freedom: the slope over ten batch means


def distribution(samples: Sequence[float] | NDArray[np.float64]) -> Distribution:
    """All of ``Distribution`` for these samples, in their unit."""
    ordered = np.sort(np.asarray(samples, dtype=np.float64))
    count = len(ordered)
    if count == 0:
        return Distribution()
    return Distribution(
        count=count,
        mean=float(ordered.mean()),
        std=float(ordered.std(ddof=1)) if count > 1 else None,
        least=float(ordered[0]),
        most=float(ordered[-1]),
        percentiles=[_percentile(ordered, percent) for percent in PERCENTS],
    )


def _percentile(ordered: NDArray[np.float64], percent: float) -> Percentile:
    """The smallest sample that at least ``percent`` of all do not exceed, and its upper bound."""
    count = len(ordered)
    rank = max(1, math.ceil(percent / 100 * count - 1e-9))
    bound = upper_rank(count, percent / 100)
    upper = None if bound is None else float(ordered[bound - 1])
    return Percentile(percent=percent, value=float(ordered[rank - 1]), upper=upper)


def upper_rank(count: int, share: float, confidence: float = CONFIDENCE) -> int | None:
    """The least rank k (from 1) whose order statistic is above the true quantile with this confidence.

    The number of samples below the quantile is binomial: k is the least with P(Binomial(count, share) < k) at or
    above the confidence. None when even the largest sample is not enough (p99 needs 459).
    """
    if share**count > 1 - confidence:
        return None
    spread = 8 * math.sqrt(count * share * (1 - share)) + 8
    low, high = max(0, int(count * share - spread)), min(count, int(count * share + spread))
    ranks = np.arange(low, high + 1)
    logs = np.array([_log_binomial(count, int(k), share) for k in ranks])
    below = np.cumsum(np.exp(logs))  # P(X <= k); what is left out below `low` is smaller than 1e-12
    found = np.nonzero(below >= confidence - 1e-12)[0]
    if not len(found):
        return None
    return min(count, int(ranks[found[0]]) + 1)


def _log_binomial(count: int, k: int, share: float) -> float:
    log = math.lgamma(count + 1) - math.lgamma(k + 1) - math.lgamma(count - k + 1)
    return log + k * math.log(share) + (count - k) * math.log1p(-share)


def slope(at: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[float, float, float] | None:
    """Trend of a series: low, estimate, high (95 %) per unit of ``at``. None below twice as many points as batches.

    Neighbouring samples of a queue are alike, so the line goes through the means of ten batches, which are nearly
    independent, and not through the samples.
    """
    if len(at) < 2 * BATCHES:
        return None
    edges = np.linspace(0, len(at), BATCHES + 1).astype(int)
    x = np.array([at[a:b].mean() for a, b in itertools.pairwise(edges)])
    y = np.array([values[a:b].mean() for a, b in itertools.pairwise(edges)])
    centred = x - x.mean()
    area = float((centred**2).sum())
    if area == 0:
        return None
    estimate = float((centred * y).sum() / area)
    rest = y - y.mean() - estimate * centred
    error = math.sqrt(float((rest**2).sum()) / (BATCHES - 2) / area)
    return estimate - T_975_8 * error, estimate, estimate + T_975_8 * error


def same_arrivals(planned: NDArray[np.float64], sent: NDArray[np.float64]) -> float:
    """p-value of a two-sample Kolmogorov-Smirnov test that what was sent has the shape of what was planned."""
    if not len(planned) or not len(sent):
        return 0.0
    both = np.concatenate([planned, sent])
    of_planned = np.searchsorted(np.sort(planned), both, side="right") / len(planned)
    of_sent = np.searchsorted(np.sort(sent), both, side="right") / len(sent)
    distance = float(np.abs(of_planned - of_sent).max())
    size = len(planned) * len(sent) / (len(planned) + len(sent))
    return kolmogorov(distance * math.sqrt(size))


def kolmogorov(scaled: float) -> float:
    """P(K > scaled) of Kolmogorov's limit distribution."""
    if scaled < 0.2:
        return 1.0
    total = sum((1.0 if k % 2 else -1.0) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, 2 * total))
