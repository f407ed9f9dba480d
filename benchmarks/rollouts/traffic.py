"""Simulated traffic: Poisson arrivals, each attempt sent to an arm and found bad at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

INTERVAL_SECONDS = 5.0
Counts = npt.NDArray[np.int64]  # shape (runs, intervals)


@dataclass(frozen=True)
class Case:
    """One situation.

    ``incident``: first minute, last minute, and the bad rate of both arms in between. ``burst``: bad attempts come in
    groups of so many on one arm, as from users who stay on it and try again.
    """

    name: str
    rate_per_second: float
    share: float
    canary_bad: float
    stable_bad: float = 0.005
    minutes: float = 60.0
    incident: tuple[float, float, float] | None = None
    burst: int = 1

    @property
    def intervals(self) -> int:
        """How many intervals a run has."""
        return round(self.minutes * 60 / INTERVAL_SECONDS)


@dataclass(frozen=True)
class Traffic:
    """Counts of all runs, shape (runs, intervals)."""

    stable: Counts
    stable_bad: Counts
    canary: Counts
    canary_bad: Counts


def draw(case: Case, runs: int, random: np.random.Generator) -> Traffic:
    """So many runs of a case."""
    shape = (runs, case.intervals)
    each = case.rate_per_second * INTERVAL_SECONDS
    canary = random.poisson(each * case.share, shape)
    stable = random.poisson(each * (1 - case.share), shape)
    return Traffic(
        stable,
        _bad(case, stable, case.stable_bad, random),
        canary,
        _bad(case, canary, case.canary_bad, random),
    )


def _bad(case: Case, attempts: Counts, usual: float, random: np.random.Generator) -> Counts:
    if case.burst == 1:
        return random.binomial(attempts, _rates(case, usual))
    bursts = random.poisson(attempts.mean() * _rates(case, usual) / case.burst, attempts.shape)
    return np.minimum(bursts * case.burst, attempts)


def _rates(case: Case, usual: float) -> npt.NDArray[np.float64]:
    rates = np.full(case.intervals, usual)
    if case.incident is not None:
        first, last, rate = case.incident
        rates[round(first * 60 / INTERVAL_SECONDS) : round(last * 60 / INTERVAL_SECONDS)] = rate
    return rates
