"""The rules that are compared, on arrays of runs. Each returns the first interval in which it acts, -1 for never.

The competitors follow examples of their projects' documentation: Argo Rollouts' analysis template (success rate of
95 % each minute, ``failureLimit`` 0; a minute without data fails) and Flagger's canary (99 % each minute, rollback
after ``threshold`` failed checks, which passed ones do not take back; a minute without data fails). Fisher's exact
test at each look is what one writes by hand. All three look at totals or the canary alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from benchmarks.rollouts.traffic import INTERVAL_SECONDS, Counts, Traffic
from podium.rollout.analysis.fisher_process import log_gains
from podium.rollout.analysis.mixture import ODDS_RATIOS
from podium.rollout.analysis.stratum import Stratum

Floats = npt.NDArray[np.float64]
Firsts = npt.NDArray[np.int64]
Rule = Callable[[Traffic], Firsts]
_INTERVALS_A_MINUTE = round(60 / INTERVAL_SECONDS)
_LOG_FACTORIALS = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, 200_001)))))


def first(acts: npt.NDArray[np.bool_]) -> Firsts:
    """The first interval that acts in each run, -1 for none."""
    return np.where(acts.any(axis=1), acts.argmax(axis=1), -1)


def log_evidence(stable: Counts, stable_bad: Counts, canary: Counts, canary_bad: Counts) -> Floats:
    """Podium's evidence after each interval, shape (runs, intervals), from the product's own e-values."""
    tables = np.stack([stable, stable_bad, canary, canary_bad], axis=-1).reshape(-1, 4)
    telling = (stable_bad + canary_bad > 0).ravel() & (stable > 0).ravel() & (canary > 0).ravel()
    gains = np.zeros((tables.shape[0], len(ODDS_RATIOS)))
    if telling.any():
        distinct, places = np.unique(tables[telling], axis=0, return_inverse=True)
        gains[telling] = np.array([log_gains(Stratum(*row)) for row in distinct.tolist()])[places.ravel()]
    logs = np.cumsum(gains.reshape(*stable.shape, len(ODDS_RATIOS)), axis=1)
    highest = logs.max(axis=-1)
    mean: Floats = highest + np.log(np.exp(logs - highest[..., None]).mean(axis=-1))
    return mean


def e_process(alpha: float, weight: float = 1.0) -> Rule:
    """Podium's rule on errors; with a weight below 1 the other metrics are there and show nothing."""

    def act(traffic: Traffic) -> Firsts:
        logs = log_evidence(traffic.stable, traffic.stable_bad, traffic.canary, traffic.canary_bad)
        combined = np.logaddexp(logs + math.log(weight), math.log(1 - weight)) if weight < 1 else logs
        return first(combined >= -math.log(alpha))

    return act


def fisher_each_look(level: float) -> Rule:
    """One-sided Fisher's exact test of the totals so far, at every look."""

    def act(traffic: Traffic) -> Firsts:
        totals = (traffic.stable, traffic.stable_bad, traffic.canary, traffic.canary_bad)
        stable, stable_bad, canary, canary_bad = (np.cumsum(counts, axis=1) for counts in totals)
        bad, everything = stable_bad + canary_bad, stable + canary
        candidates = canary_bad * everything > bad * canary
        values = (canary_bad[candidates], canary[candidates], stable[candidates], bad[candidates])
        acts = np.zeros(candidates.shape, dtype=bool)
        acts[candidates] = upper_tail(*values) < level
        return first(acts)

    return act


def upper_tail(canary_bad: Counts, canary: Counts, stable: Counts, bad: Counts) -> Floats:
    """P(at least so many of the bad ones are the canary's) when the arm makes no difference."""
    j = canary_bad.astype(np.float64)
    chance = np.exp(
        _log_choose(canary, canary_bad) + _log_choose(stable, bad - canary_bad) - _log_choose(canary + stable, bad)
    )
    total = chance.copy()
    while chance.size and (chance > 1e-9 * total).any():
        chance = chance * np.maximum(0, (canary - j) * (bad - j)) / ((j + 1) * np.maximum(1, stable - bad + j + 1))
        total += chance
        j += 1
    return total


def _log_choose(n: Counts, k: Counts) -> Floats:
    value: Floats = _LOG_FACTORIALS[n] - _LOG_FACTORIALS[k] - _LOG_FACTORIALS[n - k]
    return value


def each_minute(least_success: float, failures: int) -> Rule:
    """Acts on the ``failures``-th minute whose success rate of the canary is below the least, or that has no data."""

    def act(traffic: Traffic) -> Firsts:
        runs, intervals = traffic.canary.shape
        shape = (runs, intervals // _INTERVALS_A_MINUTE, _INTERVALS_A_MINUTE)
        attempts, bad = (counts.reshape(shape).sum(axis=2) for counts in (traffic.canary, traffic.canary_bad))
        failed = attempts - bad < least_success * attempts - 1e-9
        minutes = first(np.cumsum(failed | (attempts == 0), axis=1) >= failures)
        return np.where(minutes >= 0, (minutes + 1) * _INTERVALS_A_MINUTE - 1, -1)

    return act


RULES: dict[str, Rule] = {
    "e-process": e_process(0.01),
    "Fisher": fisher_each_look(0.01),
    "95 %, limit 0": each_minute(0.95, 1),
    "99 %, threshold 5": each_minute(0.99, 5),
    "99 %, threshold 10": each_minute(0.99, 10),
}
