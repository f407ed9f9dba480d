"""A split that is not what was declared is noticed, a correct one hardly ever."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import betabinom, binom

from podium.rollout.analysis.sample_ratio import SampleRatio, log_mismatch

ALARM = math.log(1000)


def units_to_alarm(declared: float, actual: float, seed: int, most: int = 100_000) -> int | None:
    random, ratio = np.random.default_rng(seed), SampleRatio(declared)
    for total in range(200, most, 200):
        canary = int(random.binomial(200, actual))
        ratio = ratio.after(stable=200 - canary, canary=canary)
        if ratio.log_e >= ALARM:
            return total
    return None


@pytest.mark.parametrize(("share", "stable", "canary"), [(0.1, 90, 10), (0.1, 50, 50), (0.5, 700, 10), (0.01, 0, 3)])
def test_the_evidence_is_the_ratio_of_beta_binomial_and_binomial(share: float, stable: int, canary: int) -> None:
    total = stable + canary
    mixed = betabinom.logpmf(canary, total, 100 * share, 100 * (1 - share))
    assert log_mismatch(share, stable, canary) == pytest.approx(mixed - binom.logpmf(canary, total, share), abs=1e-8)


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5, 0.99])
def test_its_mean_is_one_when_the_split_is_as_declared(share: float) -> None:
    mean = sum(binom.pmf(k, 60, share) * math.exp(log_mismatch(share, 60 - k, k)) for k in range(61))
    assert mean == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("declared", "actual", "most"), [(0.1, 0.15, 3_000), (0.1, 0.05, 2_000), (0.1, 0.12, 12_000), (0.5, 0.52, 30_000)]
)
def test_a_wrong_split_is_found(declared: float, actual: float, most: int) -> None:
    found = [units_to_alarm(declared, actual, seed) for seed in range(20)]
    assert all(units is not None and units <= most for units in found)


def test_a_correct_split_raises_no_alarm() -> None:
    assert [units_to_alarm(0.1, 0.1, seed, most=20_000) for seed in range(40)] == [None] * 40


def test_evidence_of_an_earlier_share_is_kept_as_a_factor() -> None:
    first = SampleRatio(0.05).after(stable=100, canary=12)
    second = first.at(0.25)
    assert second.log_e == pytest.approx(first.log_e)
    assert second.after(stable=3, canary=1).log_e == pytest.approx(first.log_e + log_mismatch(0.25, 3, 1))
    assert first.at(0.05) == first


def test_an_alarm_stays() -> None:
    ratio = SampleRatio(0.1).after(stable=0, canary=40)
    calm = ratio.after(stable=360, canary=0)
    assert calm.log_e < ratio.log_e == calm.peak_log_e


def test_at_full_weight_any_stable_traffic_is_a_wrong_split() -> None:
    assert log_mismatch(1.0, 0, 500) == 0
    assert log_mismatch(1.0, 1, 500) > ALARM
    assert log_mismatch(0.0, 500, 1) > ALARM
