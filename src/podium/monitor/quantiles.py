"""Quantiles of a histogram whose buckets are cumulative, as Prometheus computes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt


def quantile(share: float, bounds: Sequence[float], counts: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The ``share`` quantile (0 to 1) of each column of ``counts``, shape (buckets, columns); NaN where it is empty.

    ``bounds`` are the buckets' upper bounds, the last one infinite; linear within a bucket, from 0 in the first. In
    the last bucket the answer is its lower bound: no more is known.
    """
    cumulative = np.maximum.accumulate(np.asarray(counts, dtype=np.float64), axis=0)
    total = cumulative[-1]
    rank = share * total
    index = np.minimum((cumulative < rank).sum(axis=0), len(bounds) - 1)
    columns = np.arange(cumulative.shape[1])
    upper = np.asarray([*bounds[:-1], bounds[-2]])[index]
    lower = np.asarray([0.0, *bounds[:-1]])[index]
    below = np.where(index > 0, cumulative[np.maximum(index - 1, 0), columns], 0.0)
    inside = cumulative[index, columns] - below
    with np.errstate(invalid="ignore", divide="ignore"):
        part = np.where(inside > 0, (rank - below) / inside, 1.0)
        found: npt.NDArray[np.float64] = np.where(total > 0, lower + (upper - lower) * part, np.nan)
    return found
