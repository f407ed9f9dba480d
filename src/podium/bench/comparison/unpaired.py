"""The permutation test of two groups of runs that were not interleaved, and its interval.

Weaker than the paired test: whatever changed between the groups besides the version counts as the version's doing.
"""

from __future__ import annotations

from itertools import combinations
from math import comb

import numpy as np
from numpy.typing import NDArray

from podium.bench.comparison.paired import Estimate

MOST_SPLITS = 20_000
_HALVINGS = 50


def permutation(first: NDArray[np.float64], second: NDArray[np.float64], alpha: float) -> Estimate:
    """Test and 1 - ``alpha`` interval of mean(``second``) - mean(``first``).

    Every way to split the runs is looked at, or ``MOST_SPLITS`` random ones. The interval holds the shifts that the
    test does not reject; None when there are so few runs that nothing could be rejected.
    """
    splits = _splits(len(first), len(second))
    observed = float(np.mean(second) - np.mean(first))
    p_value = _p_value(first, second, 0.0, splits)
    if 2 / len(splits) > alpha:
        return Estimate(observed, None, p_value)
    reach = 4 * max(float(np.ptp(np.concatenate([first, second - observed]))), 1e-12)
    low = _edge(first, second, observed, observed - reach, splits, alpha)
    high = _edge(first, second, observed, observed + reach, splits, alpha)
    return Estimate(observed, (low, high), p_value)


def _edge(
    first: NDArray[np.float64],
    second: NDArray[np.float64],
    inside: float,
    outside: float,
    splits: NDArray[np.bool_],
    alpha: float,
) -> float:
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        if _p_value(first, second, middle, splits) > alpha:
            inside = middle
        else:
            outside = middle
    return outside


def _p_value(first: NDArray[np.float64], second: NDArray[np.float64], shift: float, splits: NDArray[np.bool_]) -> float:
    values = np.concatenate([first, second - shift])
    in_second = splits.sum(axis=1)
    sums = splits @ values
    means = sums / in_second - (values.sum() - sums) / (len(values) - in_second)
    extreme = np.abs(means) >= abs(means[0]) * (1 - 1e-9)  # split 0 is the one that happened
    return float(np.mean(extreme))


def _splits(first: int, second: int) -> NDArray[np.bool_]:
    total = first + second
    happened = np.arange(total) >= first
    if comb(total, second) <= MOST_SPLITS:
        found = np.zeros((comb(total, second), total), dtype=bool)
        for row, chosen in enumerate(combinations(range(total - 1, -1, -1), second)):
            found[row, list(chosen)] = True
        return found
    draw = np.random.default_rng(total)
    return np.stack([happened, *(draw.permutation(happened) for _ in range(MOST_SPLITS - 1))])
