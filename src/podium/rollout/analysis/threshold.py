"""The plain rule: a step passes when the canary's own error rate, over the whole step, is at most so much.

Easy to explain and easy to fool: a bad minute of everybody fails it, and a small regression passes. It never passes on
no data.
"""

from __future__ import annotations

import msgspec

from podium.rollout.analysis.confidence_sequence import lower_bound
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.analysis.verdict import Advance, Hold, Rollback, Verdict


class Passage(msgspec.Struct, frozen=True, kw_only=True):
    """A step so far: what was counted in it, for how long, and how long it lasts."""

    counts: Stratum
    seconds: float
    needed_seconds: float


def judge_by_threshold(passage: Passage, max_error_rate: float) -> Verdict:
    """The verdict at the end of a step's time; a hold before it, and for a canary that nobody asked."""
    rest = passage.needed_seconds - passage.seconds
    if rest > 0:
        return Hold("soak", f"judged at the end of the step, in {rest:.0f} s")
    attempts, bad = passage.counts.canary_attempts, passage.counts.canary_bad
    if not attempts:
        return Hold("blind", "the canary has had no attempt in this step; no data is no pass")
    found = f"{bad} of {attempts} canary attempts were bad, {bad / attempts:.2%}; {max_error_rate:.2%} is allowed"
    if bad / attempts > max_error_rate:
        return Rollback("threshold", found, "errors")
    return Advance("threshold", found, {})


def surely_above(counts: Stratum, max_error_rate: float, alpha: float) -> Rollback | None:
    """For a canary with all traffic, which nothing can be compared with: its rate is above the limit for sure.

    However often one looks, the chance that this ends a canary at or below the limit is ``alpha``.
    """
    attempts, bad = counts.canary_attempts, counts.canary_bad
    if not bad or bad / attempts <= max_error_rate:
        return None
    least = lower_bound(bad, attempts, alpha)
    if least <= max_error_rate:
        return None
    sentence = f"with all traffic, {bad} of {attempts} attempts were bad: surely more than {max_error_rate:.2%}"
    return Rollback("threshold", sentence, "errors")
