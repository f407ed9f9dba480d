"""How many runs it takes to find a change, said before the first one."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from podium.bench.comparison.paired import fewest_pairs, p_values

_TRIALS = 300
_MOST_PAIRS = 64


@lru_cache(maxsize=256)
def power(pairs: int, *, change: float, noise: float, alpha: float) -> float:
    """The share of comparisons of ``pairs`` pairs that find a ``change`` (0.05 is 5 %), by seeded simulation.

    ``noise`` is the standard deviation from run to run, relative (0.02 is 2 %), of the figure that is looked at.
    """
    draw = np.random.default_rng(pairs)
    differences = draw.normal(math.log1p(change), noise * math.sqrt(2), (pairs, _TRIALS))
    return float(np.mean(p_values(differences) <= alpha))


def pairs_needed(*, change: float, noise: float, metrics: int, alpha: float = 0.05, wanted: float = 0.9) -> int | None:
    """The fewest pairs that find ``change`` with probability ``wanted``, when ``metrics`` are tested at once.

    The strictest step of Holm's correction is assumed. None when more than 64 pairs would be needed.
    """
    level = alpha / metrics
    below = fewest_pairs(level) - 1
    enough = below + 1
    while power(enough, change=change, noise=noise, alpha=level) < wanted:
        if enough >= _MOST_PAIRS:
            return None
        below, enough = enough, min(_MOST_PAIRS, enough * 2)
    while enough - below > 1:
        middle = (below + enough) // 2
        reached = power(middle, change=change, noise=noise, alpha=level) >= wanted
        below, enough = (below, middle) if reached else (middle, enough)
    return enough


@lru_cache(maxsize=64)
def noise_bound(pairs: int, *, change: float, metrics: int, alpha: float = 0.05, wanted: float = 0.9) -> float:
    """The largest run-to-run noise at which ``pairs`` still find ``change``; 0 when they never can."""
    level = alpha / metrics
    if pairs < fewest_pairs(level):
        return 0.0
    low, high = 0.0, 4 * change
    for _ in range(8):
        middle = (low + high) / 2
        low, high = (
            (middle, high) if power(pairs, change=change, noise=middle, alpha=level) >= wanted else (low, middle)
        )
    return low
