"""Averages of e-values, in logarithms, so that neither tiny nor huge ones are lost."""

from __future__ import annotations

import math
from collections.abc import Sequence

# Odds ratios that an e-process bets on, equally weighted: a canary that is worse by a factor between two of them is
# found almost as fast as by the nearer one. (Grid of the rollout specification, section 3.1.)
ODDS_RATIOS = (1.5, 2.0, 3.0, 5.0, 10.0, 20.0)


def log_mean(logs: Sequence[float]) -> float:
    """The logarithm of the mean of ``exp(logs)``."""
    return log_weighted_mean(logs, [1.0 / len(logs)] * len(logs))


def log_weighted_mean(logs: Sequence[float], weights: Sequence[float]) -> float:
    """The logarithm of ``sum(w * exp(l))``; weights are positive and sum to 1."""
    terms = [math.log(weight) + value for value, weight in zip(logs, weights, strict=True)]
    highest = max(terms)
    return highest + math.log(math.fsum(math.exp(term - highest) for term in terms))
