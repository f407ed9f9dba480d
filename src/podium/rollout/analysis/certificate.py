"""What it takes to promote: proof that the canary's bad rate exceeds the stable one by no more than is allowed.

The rates are taken to be steady in each arm, so the counts start anew at each step and after an incident that both
arms shared (rollout specification, section 3.5).
"""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from podium.rollout.analysis.confidence_sequence import lower_bound, upper_bound
from podium.rollout.analysis.stratum import Stratum

_MOST_REQUESTS = 1 << 40  # beyond it the answer is "never"


class Certificate(msgspec.Struct, frozen=True):
    """Bounds that hold together, at all times, with probability ``1 - beta``. Rates are between 0 and 1."""

    canary_at_most: float
    stable_at_least: float

    @property
    def increase_at_most(self) -> float:
        """How much the canary's bad rate exceeds the stable one, at most."""
        return self.canary_at_most - self.stable_at_least


def certify(counts: Stratum, beta: float) -> Certificate:
    """The certificate of all counts since the step began. Each end may fail with probability ``beta / 2``."""
    return _certify(counts.canary_attempts, counts.canary_bad, counts.stable_attempts, counts.stable_bad, beta)


def canary_requests_needed(
    counts: Stratum, *, beta: float, max_increase: float, at_least: int, stable_per_canary: float
) -> int | None:
    """The fewest canary requests in all that certify ``max_increase`` if both rates stay as observed.

    ``stable_per_canary``: stable requests that arrive for each further canary request. None: no number is enough,
    because the observed rates already differ by that much; or an arm has not been seen at all.
    """
    if not (counts.canary_attempts and counts.stable_attempts):
        return None

    def enough(canary: int) -> bool:
        stable = counts.stable_attempts + (canary - counts.canary_attempts) * stable_per_canary
        canary_bad = counts.canary_bad * (canary / counts.canary_attempts)
        stable_bad = counts.stable_bad * (stable / counts.stable_attempts)
        return _certify(canary, canary_bad, stable, stable_bad, beta).increase_at_most <= max_increase

    low = max(counts.canary_attempts, at_least)
    if enough(low):
        return low
    return _least(enough, low)


def requests_to_certify(
    rate: float, *, beta: float, max_increase: float, at_least: int, stable_per_canary: float
) -> int | None:
    """The fewest canary requests that certify ``max_increase`` when both arms have the bad rate ``rate``.

    None when no number is enough.
    """

    def enough(canary: int) -> bool:
        stable = canary * stable_per_canary
        return _certify(canary, rate * canary, stable, rate * stable, beta).increase_at_most <= max_increase

    return at_least if enough(at_least) else _least(enough, at_least)


def _least(enough: Callable[[int], bool], low: int) -> int | None:
    """The least number above ``low`` that is enough, found by doubling and halving."""
    high = low * 2
    while not enough(high):
        low, high = high, high * 2
        if high > _MOST_REQUESTS:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def _certify(canary: float, canary_bad: float, stable: float, stable_bad: float, beta: float) -> Certificate:
    return Certificate(upper_bound(canary_bad, canary, beta / 2), lower_bound(stable_bad, stable, beta / 2))
