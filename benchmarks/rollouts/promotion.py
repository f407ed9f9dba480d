"""When the certificate promotes, and when the sample-ratio test holds, on arrays of runs."""

from __future__ import annotations

import math

import numpy as np

from benchmarks.rollouts.rules import Firsts, Floats, first, log_evidence
from benchmarks.rollouts.traffic import INTERVAL_SECONDS, Counts, Traffic

_HALVINGS = 36
_MOST = 400_000
_LOG_FACTORIALS = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, _MOST)))))  # at n: ln n!
_LOG_HALF_GAMMAS = math.lgamma(0.5) + np.concatenate(
    ([0.0], np.cumsum(np.log(np.arange(_MOST) + 0.5)))
)  # ln G(n + 1/2)
_CONCENTRATION = 100


def advances(traffic: Traffic, max_increase: float, *, alpha: float = 0.01, beta: float = 0.05) -> Firsts:
    """The first interval in which Podium advances: certified, 50 canary requests, a minute gone, not rolled back."""
    logs = log_evidence(traffic.stable, traffic.stable_bad, traffic.canary, traffic.canary_bad)
    totals = (traffic.stable, traffic.stable_bad, traffic.canary, traffic.canary_bad)
    stable, stable_bad, canary, canary_bad = (np.cumsum(counts, axis=1) for counts in totals)
    highest = upper_bounds(canary_bad, canary, beta / 2)
    lowest = 1 - upper_bounds(stable - stable_bad, stable, beta / 2)
    acts = (highest - lowest <= max_increase) & (canary >= 50)
    acts[:, : round(60 / INTERVAL_SECONDS) - 1] = False
    acts &= np.maximum.accumulate(logs, axis=1) < -math.log(alpha)
    return first(acts)


def upper_bounds(bad: Counts, attempts: Counts, beta: float) -> Floats:
    """The upper ends of the confidence sequences, as ``podium.rollout.analysis.confidence_sequence`` has them."""
    good = attempts - bad
    log_beta = _LOG_HALF_GAMMAS[bad] + _LOG_HALF_GAMMAS[good] - _LOG_FACTORIALS[attempts]
    constant = log_beta - 2 * math.lgamma(0.5) + math.log(beta)  # ln B(1/2, 1/2) = 2 ln G(1/2)
    inside, outside = bad / np.maximum(attempts, 1), np.ones(bad.shape)
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = np.where(bad > 0, bad * np.log(middle), 0) + np.where(good > 0, good * np.log1p(-middle), 0)
        within = constant < explained
        inside, outside = np.where(within, middle, inside), np.where(within, outside, middle)
    return np.where(good > 0, outside, 1.0)


def log_mismatches(share: float, stable: Counts, canary: Counts) -> Floats:
    """The sample-ratio evidence; ``100 * share`` must be a whole number."""
    a = round(_CONCENTRATION * share)
    b = _CONCENTRATION - a
    log_gamma = np.concatenate(([0.0], _LOG_FACTORIALS))  # at n: ln G(n)
    mixed = log_gamma[a + canary] + log_gamma[b + stable] - log_gamma[_CONCENTRATION + stable + canary]
    start = math.lgamma(a) + math.lgamma(b) - math.lgamma(_CONCENTRATION)
    value: Floats = mixed - start - canary * math.log(share) - stable * math.log1p(-share)
    return value


def mismatch_found(
    declared: float, actual: float, *, units: int, batch: int, runs: int, random: np.random.Generator
) -> Firsts:
    """The first batch of assignments after which the split is called wrong (at 1 in 1,000), -1 for never."""
    canary = np.cumsum(random.binomial(batch, actual, (runs, units // batch)), axis=1)
    total = np.arange(1, units // batch + 1) * batch
    return first(log_mismatches(declared, total - canary, canary) >= math.log(1000))
