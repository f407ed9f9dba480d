"""The sign-flip test of paired differences and the interval that goes with it, by subset means.

When A and B are the same, each pair's difference could as well have had the other sign. The mean lies beyond zero in as
many sign patterns as there are subsets whose mean does, so one table of subset means gives the test and, by its
order statistics, the interval of exact coverage (Hartigan, "Using subsample values as typical values", 1969).
No shape is assumed but the symmetry of the differences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

MOST_EXACT = 12
"""Up to so many pairs every subset is looked at; beyond, a fixed random draw of as many."""


@dataclass(frozen=True)
class Estimate:
    """A difference: its mean, the interval (None: too few runs for that confidence), and its two-sided p-value."""

    mean: float
    interval: tuple[float, float] | None
    p_value: float


def sign_flip(differences: NDArray[np.float64], alpha: float) -> Estimate:
    """Test and 1 - ``alpha`` interval of the mean of ``differences``, one for each pair of runs."""
    chosen = _subsets(len(differences))
    means = np.sort(chosen @ differences / chosen.sum(axis=1))
    cut = math.floor(alpha / 2 * (len(means) + 1))
    interval = (float(means[cut - 1]), float(means[-cut])) if cut >= 1 else None
    return Estimate(float(np.mean(differences)), interval, float(p_values(differences[:, None])[0]))


def p_values(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """Two-sided p-values of many comparisons at once. ``differences``: shape (pairs, comparisons)."""
    sums = _subsets(len(differences)) @ differences
    below = 1 + np.count_nonzero(sums <= 0, axis=0)  # 1: the empty subset has no mean and counts as one pattern
    above = 1 + np.count_nonzero(sums >= 0, axis=0)
    found: NDArray[np.float64] = np.minimum(1.0, 2 * np.minimum(below, above) / (len(sums) + 1))
    return found


def fewest_pairs(alpha: float) -> int:
    """With fewer pairs no p-value can be as small as ``alpha``."""
    return math.ceil(math.log2(2 / alpha))


@lru_cache(maxsize=4)
def _subsets(size: int) -> NDArray[np.float64]:
    """A row of zeros and ones for each non-empty subset, or for ``2**MOST_EXACT - 1`` random ones."""
    if size <= MOST_EXACT:
        numbers = np.arange(1, 2**size)
        return ((numbers[:, None] >> np.arange(size)) & 1).astype(np.float64)
    drawn = np.random.default_rng(size).random((2**MOST_EXACT - 1, size)) < 0.5
    drawn[~drawn.any(axis=1), 0] = True  # once in 2**15 at most; a table without holes matters more
    return drawn.astype(np.float64)
