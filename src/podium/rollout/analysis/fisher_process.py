"""Evidence that canary attempts end badly more often than stable ones of the same interval.

Given how many attempts each arm had and how many were bad in all, the canary's share of the bad ones is
hypergeometric when the arm makes no difference. The e-value of an interval is the likelihood ratio of Fisher's
noncentral hypergeometric distribution with odds ratio theta against that; the product over intervals, averaged over a
grid of theta, is a supermartingale while the canary is no worse (Turner and Gruenwald, arXiv 2302.11401; rollout
specification, section 3.1). By Ville's inequality it ever exceeds 1/alpha with probability alpha at most, however
often one looks, and whatever happens to both arms alike.
"""

from __future__ import annotations

import functools
import math
from typing import Self

import msgspec
import numpy as np
import numpy.typing as npt

from podium.rollout.analysis.mixture import ODDS_RATIOS, log_mean
from podium.rollout.analysis.stratum import Stratum

_LOG_ODDS = np.log(np.array(ODDS_RATIOS))
_NOTHING = (0.0,) * len(ODDS_RATIOS)
_CACHED_STRATA = 1 << 16  # about 20 MB when full; intervals with few bad attempts repeat a lot


class FisherProcess(msgspec.Struct, frozen=True):
    """The e-process of one yes-or-no metric. ``log_factors``: its logarithm for each odds ratio of the grid."""

    log_factors: tuple[float, float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0, 0.0)

    def after(self, stratum: Stratum) -> Self:
        """The process one interval later. An interval without bad attempts, or with an idle arm, changes nothing."""
        gains = log_gains(stratum)
        if gains is _NOTHING:
            return self
        a, b, c, d, e, f = (have + gain for have, gain in zip(self.log_factors, gains, strict=True))
        return msgspec.structs.replace(self, log_factors=(a, b, c, d, e, f))

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence against "the canary is no worse"; 0 is none, ln 100 = 4.6 is much."""
        return log_mean(self.log_factors)


@functools.lru_cache(maxsize=_CACHED_STRATA)
def log_gains(stratum: Stratum) -> tuple[float, ...]:
    """The logarithms of one interval's e-value for each odds ratio of the grid; 0 when it cannot tell the arms apart.

    Exact up to rounding (about 1e-10 at a million bad attempts), in time and memory linear in the bad attempts.
    """
    bad = stratum.canary_bad + stratum.stable_bad
    if not (bad and stratum.canary_attempts and stratum.stable_attempts):
        return _NOTHING
    counts = np.arange(max(0, bad - stratum.stable_attempts), min(bad, stratum.canary_attempts) + 1, dtype=np.float64)
    if len(counts) == 1:
        return _NOTHING
    weights = _log_hypergeometric(counts, stratum.canary_attempts, stratum.stable_attempts, bad)
    tilted = weights + np.outer(_LOG_ODDS, counts)
    gains = stratum.canary_bad * _LOG_ODDS - _log_sum(tilted)
    return tuple(gains.tolist())


def _log_hypergeometric(counts: npt.NDArray[np.float64], canary: int, stable: int, bad: int) -> npt.NDArray[np.float64]:
    """The logarithm of P(j of the bad attempts are the canary's) for every possible j, from ratios of neighbours."""
    j = counts[:-1]
    steps = np.log(canary - j) + np.log(bad - j) - np.log(j + 1) - np.log(stable - bad + j + 1)
    weights = np.concatenate(([0.0], np.cumsum(steps)))
    normalised: npt.NDArray[np.float64] = weights - _log_sum(weights)
    return normalised


def _log_sum(logs: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The natural logarithm of the sum of exponentials over the last axis."""
    highest = logs.max(axis=-1, keepdims=True)
    total: npt.NDArray[np.float64] = np.log(np.exp(logs - highest).sum(axis=-1)) + highest[..., 0]
    return total


def errors_needed(share: float, alpha: float) -> int:
    """How many bad attempts, one an interval and all on the canary, bring the evidence to ``1/alpha``.

    ``share``: the canary's share of each interval's attempts, between 0 and 1, both excluded.
    """
    gains = [math.log(theta / (1 - share + share * theta)) for theta in ODDS_RATIOS]
    needed = 1
    while log_mean([needed * gain for gain in gains]) < -math.log(alpha):
        needed += 1
    return needed
