"""Slowness is judged against quantiles that were frozen before."""

from __future__ import annotations

import math
import random

import pytest

from podium.rollout.analysis.latency_process import BASELINE_SAMPLES, LatencyProcess, Samples, quantile, slow_counts
from podium.rollout.analysis.stratum import Stratum


def drawn(seed: int, count: int, factor: float = 1.0) -> tuple[float, ...]:
    source = random.Random(seed)  # noqa: S311 - a simulation
    return tuple(source.lognormvariate(0, 0.6) * factor for _ in range(count))


def warm() -> LatencyProcess:
    return LatencyProcess().after(Samples(stable=drawn(1, BASELINE_SAMPLES)))


def test_before_there_are_thresholds_nothing_is_judged() -> None:
    process = LatencyProcess().after(Samples(drawn(1, 500), drawn(2, 500, factor=9.0)))
    assert process.thresholds is None
    assert process.log_e == pytest.approx(0.0, abs=1e-12)


def test_thresholds_are_the_quantiles_of_the_stable_samples_and_stay() -> None:
    process = warm()
    assert process.thresholds == tuple(quantile(drawn(1, BASELINE_SAMPLES), share) for share in (0.5, 0.9, 0.99))
    later = process.after(Samples(stable=drawn(3, 2000, factor=5.0)))
    assert later.thresholds == process.thresholds
    assert later.frozen().thresholds != process.thresholds


def test_too_few_samples_freeze_nothing() -> None:
    assert LatencyProcess().after(Samples(stable=drawn(1, 199))).frozen().thresholds is None
    assert LatencyProcess().after(Samples(stable=drawn(1, 200))).frozen().thresholds is not None


def test_samples_are_classified_by_thresholds_older_than_they_are() -> None:
    """The interval that completes the baseline is not judged by it."""
    process = LatencyProcess().after(Samples(drawn(1, BASELINE_SAMPLES), drawn(2, 500, factor=9.0)))
    assert process.thresholds is not None
    assert process.log_e == pytest.approx(0.0, abs=1e-12)


def test_slow_is_strictly_above() -> None:
    samples = Samples(stable=(0.1, 0.2, 0.3), canary=(0.2, 0.2, 0.4))
    assert slow_counts(samples, 0.2) == Stratum(3, 1, 3, 1)


def test_a_slower_canary_is_found_and_an_equal_one_is_not() -> None:
    equal = slower = warm()
    for number in range(60):
        stable = drawn(100 + number, 45)
        equal = equal.after(Samples(stable, drawn(500 + number, 5)))
        slower = slower.after(Samples(stable, drawn(500 + number, 5, factor=1.5)))
    assert equal.log_e < math.log(20)
    assert slower.log_e > math.log(100)


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_a_duration_that_cannot_be_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="needed: finite"):
        Samples(canary=(wrong,))


def test_a_quantile_is_a_sample() -> None:
    assert [quantile([3.0, 1.0, 2.0], share) for share in (0.0, 0.5, 0.99)] == [1.0, 2.0, 3.0]
