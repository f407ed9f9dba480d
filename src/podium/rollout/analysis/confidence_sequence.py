"""Bounds on a rate that hold at every sample size at once, so that looking early costs nothing.

The mixture of binomial likelihoods over a Beta(1/2, 1/2) prior, divided by the likelihood at p, is a martingale when p
is the true rate; rates whose value stays below 1/beta form the sequence (Robbins; rollout specification, section 3.5).
"""

from __future__ import annotations

import math

from podium.rollout.analysis.sample_ratio import log_beta

_HALVINGS = 60  # more than a float's 53 bits: the ends are as near as floats can be


def log_mixture_ratio(rate: float, bad: float, attempts: float) -> float:
    """The logarithm of M(rate): how much better the mixture explains ``bad`` of ``attempts`` than ``rate`` does."""
    good = attempts - bad
    explained = _times_log(bad, rate) + _times_log(good, 1.0 - rate)
    return log_beta(bad + 0.5, good + 0.5) - log_beta(0.5, 0.5) - explained


def upper_bound(bad: float, attempts: float, beta: float) -> float:
    """The highest rate that is not excluded: with probability ``1 - beta`` the true rate never exceeds it."""
    if bad >= attempts:
        return 1.0
    inside, outside = bad / attempts, 1.0
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if log_mixture_ratio(middle, bad, attempts) < -math.log(beta):
            inside = middle
        else:
            outside = middle
    return outside


def lower_bound(bad: float, attempts: float, beta: float) -> float:
    """The lowest rate that is not excluded: with probability ``1 - beta`` the true rate is never below it."""
    return 1.0 - upper_bound(attempts - bad, attempts, beta)


def clean_attempts_needed(rate: float, beta: float) -> int:
    """The fewest attempts, none of them bad, that bring the upper bound down to ``rate``."""
    low, high = 0, 1
    while upper_bound(0, high, beta) > rate:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if upper_bound(0, middle, beta) <= rate else (middle, high)
    return high


def _times_log(count: float, rate: float) -> float:
    """``count * ln(rate)``, and 0 where the count is."""
    if count <= 0:
        return 0.0
    return count * math.log(rate) if rate > 0 else -math.inf
