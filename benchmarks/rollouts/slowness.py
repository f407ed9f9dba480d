"""When a slower canary is found: lognormal durations against frozen quantiles of the stable version."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.stats import norm

from benchmarks.rollouts.rules import Firsts, Floats, first, log_evidence
from benchmarks.rollouts.traffic import INTERVAL_SECONDS
from podium.rollout.analysis.latency_process import BASELINE_SAMPLES, QUANTILES

_SIGMA = 0.6


@dataclass(frozen=True)
class Slowness:
    """What is wrong with the canary's durations: all by a factor, some by an addition of seconds (median: 1 s)."""

    name: str
    factor: float = 1.0
    delayed_share: float = 0.0
    delay_seconds: float = 0.0


def slowness_found(
    slowness: Slowness, *, rate_per_second: float, share: float, minutes: float, runs: int, random: np.random.Generator
) -> Firsts:
    """The first interval in which the evidence of the three quantiles together reaches 100, -1 for never."""
    thresholds = _frozen(runs, random)
    shape = (runs, round(minutes * 60 / INTERVAL_SECONDS))
    each = rate_per_second * INTERVAL_SECONDS
    stable, canary = random.poisson(each * (1 - share), shape), random.poisson(each * share, shape)
    stable_slow = _slow_counts(stable, _above(thresholds, Slowness("")), random)
    canary_slow = _slow_counts(canary, _above(thresholds, slowness), random)
    logs = [
        log_evidence(stable, slow, canary, canary_slow[number]) - math.log(len(QUANTILES))
        for number, slow in enumerate(stable_slow)
    ]
    return first(np.logaddexp(np.logaddexp(logs[0], logs[1]), logs[2]) >= math.log(100))


def _frozen(runs: int, random: np.random.Generator) -> Floats:
    """Thresholds of each run, shape (runs, 3): order statistics of its own stable samples."""
    samples = np.sort(random.lognormal(0, _SIGMA, (runs, BASELINE_SAMPLES)), axis=1)
    return samples[:, [math.ceil(quantile * BASELINE_SAMPLES) - 1 for quantile in QUANTILES]]


def _above(thresholds: Floats, slowness: Slowness) -> Floats:
    """The chance that a duration exceeds each threshold, shape (runs, 3)."""

    def usual(limits: Floats) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            chance: Floats = np.where(
                limits > 0, norm.sf(np.log(np.maximum(limits, 1e-300) / slowness.factor) / _SIGMA), 1
            )
        return chance

    late = usual(thresholds - slowness.delay_seconds)
    return (1 - slowness.delayed_share) * usual(thresholds) + slowness.delayed_share * late


def _slow_counts(attempts: np.ndarray, above: Floats, random: np.random.Generator) -> list[np.ndarray]:
    """How many exceed each threshold; those above a higher one are some of those above a lower one."""
    counts, found, before = attempts, [], np.ones(above.shape[0])
    for number in range(above.shape[1]):
        counts = random.binomial(counts, (above[:, number] / before)[:, None])
        before = above[:, number]
        found.append(counts)
    return found
