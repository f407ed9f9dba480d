"""Runs of A and of B in, a verdict out."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from enum import StrEnum

import msgspec
import numpy as np
from numpy.typing import NDArray

from podium.bench.comparison.holm import holm
from podium.bench.comparison.metrics import Metric
from podium.bench.comparison.paired import Estimate, sign_flip
from podium.bench.comparison.power import noise_bound
from podium.bench.comparison.unpaired import permutation
from podium.bench.result import RunResult
from podium.bench.summary import Summary
from podium.core.errors import InvalidRequest

FEWEST_RUNS = 2


class Verdict(StrEnum):
    """What is known about B against A, for one figure or for all of them."""

    WORSE = "worse"
    BETTER = "better"
    EQUAL = "equal"  # proven to differ by less than the margin, be it significant or not
    UNKNOWN = "unknown"


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """One figure: its geometric mean over the runs of each side, and B against A as a share (0.05: B is 5 % more)."""

    metric: str
    unit: str
    better: str  # "lower" or "higher"
    a: float
    b: float
    change: float
    interval: tuple[float, float] | None  # of ``change``; None: too few runs for that confidence
    p_value: float
    adjusted_p_value: float  # by Holm, over all figures of the comparison
    noise: float  # relative standard deviation from run to run, what drifts with time left out where runs are paired
    verdict: Verdict


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """B against A. ``verdict``: worse when any figure is, else better when any is, else equal when all are."""

    verdict: Verdict
    test: str
    runs_a: int
    runs_b: int
    alpha: float
    margin: float
    detectable: float  # with 90 % probability such a change would have been found in every figure; inf: none
    differences: list[Difference]
    left_out: dict[str, str] = {}  # metrics without a comparison, and why
    interrupted: bool = False  # fewer runs than were planned


def compare(
    a: Sequence[RunResult],
    b: Sequence[RunResult],
    metrics: Sequence[Metric],
    *,
    paired: bool,
    alpha: float = 0.05,
    margin: float = 0.02,
) -> Comparison:
    """Compare the runs of two versions. ``paired``: the i-th runs of both were neighbours in time.

    Raises ``InvalidRequest`` when a side has fewer than two runs, a run is INVALID, or pairs do not match.
    """
    _require_comparable(a, b, paired=paired)
    columns, left_out = _columns(a, b, metrics)
    estimates = [_estimate(first, second, alpha, paired=paired) for _, first, second in columns]
    adjusted = holm([estimate.p_value for estimate in estimates])
    differences = [
        _difference(metric, (first, second), estimate, p, alpha=alpha, margin=margin, paired=paired)
        for (metric, first, second), estimate, p in zip(columns, estimates, adjusted, strict=True)
    ]
    return Comparison(
        verdict=_overall([difference.verdict for difference in differences]),
        test="sign-flip test of paired runs" if paired else "permutation test of runs",
        runs_a=len(a),
        runs_b=len(b),
        alpha=alpha,
        margin=margin,
        detectable=_detectable(differences, min(len(a), len(b)), alpha),
        differences=differences,
        left_out=left_out,
    )


def undecided(runs: int, *, alpha: float, margin: float) -> Comparison:
    """What is known after fewer runs of each side than can be compared: nothing."""
    return Comparison(
        verdict=Verdict.UNKNOWN,
        test="none: too few runs",
        runs_a=runs,
        runs_b=runs,
        alpha=alpha,
        margin=margin,
        detectable=math.inf,
        differences=[],
    )


def _require_comparable(a: Sequence[RunResult], b: Sequence[RunResult], *, paired: bool) -> None:
    for name, runs in (("A", a), ("B", b)):
        if len(runs) < FEWEST_RUNS:
            raise InvalidRequest(
                f"{name} has {len(runs)} run; one run says nothing about how much runs differ: at least "
                f"{FEWEST_RUNS} are needed for a comparison, 8 or more to find small changes"
            )
        for run in runs:
            if not run.valid or run.summary is None:
                reasons = ", ".join(invalidity.reason for invalidity in run.invalid) or "it has no figures"
                raise InvalidRequest(f"a run of {name} is INVALID ({reasons}); mend its cause and run again")
    if paired and len(a) != len(b):
        raise InvalidRequest(f"pairs need as many runs of A as of B; there are {len(a)} and {len(b)}")


def _columns(
    a: Sequence[RunResult], b: Sequence[RunResult], metrics: Sequence[Metric]
) -> tuple[list[tuple[Metric, NDArray[np.float64], NDArray[np.float64]]], dict[str, str]]:
    columns, left_out = [], {}
    for metric in metrics:
        first, second = _values(a, metric.of), _values(b, metric.of)
        if first is None or second is None:
            left_out[metric.name] = "not every run has it"
        elif min(first.min(), second.min()) <= 0:
            left_out[metric.name] = "it is 0 in a run, so no ratio can be formed"
        else:
            columns.append((metric, first, second))
    return columns, left_out


def _values(runs: Sequence[RunResult], of: Callable[[Summary], float | None]) -> NDArray[np.float64] | None:
    found = [of(run.summary) for run in runs if run.summary is not None]
    return None if any(value is None for value in found) else np.array(found, dtype=np.float64)


def _estimate(a: NDArray[np.float64], b: NDArray[np.float64], alpha: float, *, paired: bool) -> Estimate:
    return sign_flip(np.log(b / a), alpha) if paired else permutation(np.log(a), np.log(b), alpha)


def _difference(
    metric: Metric,
    sides: tuple[NDArray[np.float64], NDArray[np.float64]],
    estimate: Estimate,
    adjusted: float,
    *,
    alpha: float,
    margin: float,
    paired: bool,
) -> Difference:
    a, b = (np.log(side) for side in sides)
    noise = np.std(b - a, ddof=1) / math.sqrt(2) if paired else math.sqrt((np.var(a, ddof=1) + np.var(b, ddof=1)) / 2)
    interval = None
    if estimate.interval is not None:
        interval = (math.expm1(estimate.interval[0]), math.expm1(estimate.interval[1]))
    change = math.expm1(estimate.mean)
    return Difference(
        metric=metric.name,
        unit=metric.unit,
        better=metric.better,
        a=math.exp(a.mean()),
        b=math.exp(b.mean()),
        change=change,
        interval=interval,
        p_value=estimate.p_value,
        adjusted_p_value=adjusted,
        noise=float(noise),
        verdict=_verdict(metric, change, interval, significant=adjusted <= alpha, margin=margin),
    )


def _verdict(
    metric: Metric, change: float, interval: tuple[float, float] | None, *, significant: bool, margin: float
) -> Verdict:
    within = interval is not None and -margin < interval[0] and interval[1] < margin
    if within:
        return Verdict.EQUAL
    if not significant:
        return Verdict.UNKNOWN
    return Verdict.BETTER if (change < 0) == (metric.better == "lower") else Verdict.WORSE


def _overall(verdicts: list[Verdict]) -> Verdict:
    for verdict in (Verdict.WORSE, Verdict.BETTER, Verdict.UNKNOWN):
        if verdict in verdicts:
            return verdict
    return Verdict.EQUAL if verdicts else Verdict.UNKNOWN


def _detectable(differences: list[Difference], runs: int, alpha: float) -> float:
    """The change that this many runs find in the noisiest figure: noise and change scale together."""
    if not differences:
        return math.inf
    bound = noise_bound(runs, change=0.05, metrics=len(differences), alpha=alpha)
    return math.inf if bound == 0 else 0.05 * max(difference.noise for difference in differences) / bound
