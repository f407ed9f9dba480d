"""The lowest threshold at which few enough different questions would be taken for the same, with confidence.

For each threshold, whether its false-hit rate exceeds the bound is tested by Clopper-Pearson: an exact
binomial test, so it holds for any number of pairs and any rate. Thresholds are tested from high to low, on a
grid that was fixed before the data are seen, until the first test fails (fixed-sequence testing; Maurer,
Hothorn and Lehmacher 1995; as "learn then test", Angelopoulos et al. 2021). The first true hypothesis that is
tested is rejected with probability 1 - confidence at most, and nothing after it is tested unless it was: so
the one that is chosen among a thousand holds the bound with the whole confidence.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

GRID = tuple(step / 1000 for step in range(999, -1, -1))
"""Thresholds, high to low. They must not depend on the data."""

_BISECTIONS = 60


@dataclass(frozen=True)
class Calibration:
    """A threshold and what it does to the pairs.

    With ``confidence``, at most ``false_hit_bound`` of different questions are this similar. ``hit_rate`` is the
    share of pairs that mean the same and would be a hit.
    """

    threshold: float
    false_hit_bound: float
    confidence: float
    false_hits: int
    different: int
    hits: int
    same: int

    @property
    def hit_rate(self) -> float | None:
        """None without pairs that mean the same."""
        return self.hits / self.same if self.same else None


def calibrate(
    same: Sequence[float], different: Sequence[float], *, max_false_hits: float, confidence: float
) -> Calibration | None:
    """The lowest threshold whose false-hit rate is at most ``max_false_hits``; None when no threshold can be shown to.

    ``same`` and ``different`` are cosines of pairs of that kind. The statement holds for questions that are
    drawn like those of ``different``, independently of each other.
    """
    ascending = sorted(different)
    chosen: tuple[float, int] | None = None
    for threshold in GRID:
        false_hits = len(ascending) - bisect_left(ascending, threshold)
        if binomial_cdf(false_hits, len(ascending), max_false_hits) > 1 - confidence:
            break
        chosen = threshold, false_hits
    if chosen is None:
        return None
    threshold, false_hits = chosen
    return Calibration(
        threshold=threshold,
        false_hit_bound=upper_bound(false_hits, len(ascending), confidence),
        confidence=confidence,
        false_hits=false_hits,
        different=len(ascending),
        hits=sum(similarity >= threshold for similarity in same),
        same=len(same),
    )


def fewest_different(max_false_hits: float, confidence: float) -> int:
    """So many pairs of different questions are needed to state the bound at all: those without a single false hit."""
    return max(1, math.ceil(math.log(1 - confidence) / math.log1p(-max_false_hits)))


def upper_bound(successes: int, trials: int, confidence: float) -> float:
    """Clopper-Pearson: the rate at which ``successes`` or fewer would have the probability 1 - ``confidence``."""
    if successes >= trials:
        return 1.0
    low, high = 0.0, 1.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if binomial_cdf(successes, trials, middle) > 1 - confidence else (low, middle)
    return high


def binomial_cdf(successes: int, trials: int, rate: float) -> float:
    """The probability of at most ``successes``, for a ``rate`` between 0 and 1."""
    if successes >= trials or rate <= 0:
        return 1.0
    if rate >= 1:
        return 0.0
    log_rate, log_rest, log_all = math.log(rate), math.log1p(-rate), math.lgamma(trials + 1)
    return min(
        1.0,
        math.fsum(
            math.exp(
                log_all - math.lgamma(k + 1) - math.lgamma(trials - k + 1) + k * log_rate + (trials - k) * log_rest
            )
            for k in range(successes + 1)
        ),
    )
