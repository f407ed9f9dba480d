"""Bounds on a rate hold at every sample size at once."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import betabinom, binom

from podium.rollout.analysis.certificate import canary_requests_needed, certify
from podium.rollout.analysis.confidence_sequence import (
    clean_attempts_needed,
    log_mixture_ratio,
    lower_bound,
    upper_bound,
)
from podium.rollout.analysis.stratum import Stratum


@pytest.mark.parametrize(("bad", "attempts"), [(0, 10), (3, 50), (50, 50), (17, 4000)])
def test_the_martingale_is_the_ratio_of_beta_binomial_and_binomial(bad: int, attempts: int) -> None:
    for rate in (0.01, 0.2, 0.9):
        expected = betabinom.logpmf(bad, attempts, 0.5, 0.5) - binom.logpmf(bad, attempts, rate)
        assert log_mixture_ratio(rate, bad, attempts) == pytest.approx(expected, abs=1e-7)


@given(st.integers(1, 100_000), st.floats(0, 1), st.sampled_from([0.05, 0.025, 0.001]))
def test_the_bounds_enclose_what_was_observed_and_are_where_the_ratio_says(n: int, part: float, beta: float) -> None:
    bad = round(part * n)
    upper, lower = upper_bound(bad, n, beta), lower_bound(bad, n, beta)
    assert 0 <= lower <= bad / n <= upper <= 1
    if bad < n:
        assert log_mixture_ratio(upper, bad, n) == pytest.approx(-math.log(beta), abs=1e-3)


def test_without_attempts_nothing_is_known() -> None:
    assert (upper_bound(0, 0, 0.05), lower_bound(0, 0, 0.05)) == (1.0, 0.0)


@pytest.mark.parametrize(("rate", "attempts"), [(0.05, 116), (0.02, 320), (0.01, 680), (0.005, 1438)])
def test_attempts_without_a_bad_one_that_certify_a_rate(rate: float, attempts: int) -> None:
    """About twice what a single look at a fixed number would take (59, 149, 299, 598)."""
    assert clean_attempts_needed(rate, 0.05) == attempts
    assert upper_bound(0, attempts, 0.05) <= rate < upper_bound(0, attempts - 1, 0.05)


def test_both_bounds_hold_at_all_times_together_as_often_as_promised() -> None:
    """2,000 arms of 1,500 attempts at 2 %, looked at after every 10: at most 5 % leave the bounds, ever."""
    random, left = np.random.default_rng(7), 0
    looks = np.arange(10, 1501, 10)
    cached: dict[tuple[int, int], bool] = {}
    for _ in range(2_000):
        counts = np.cumsum(random.random(1500) < 0.02)[looks - 1].tolist()
        for attempts, bad in zip(looks.tolist(), counts, strict=True):
            key = (attempts, bad)
            if key not in cached:
                cached[key] = lower_bound(bad, attempts, 0.05) <= 0.02 <= upper_bound(bad, attempts, 0.05)
            if not cached[key]:
                left += 1
                break
    assert 0 < left / 2_000 <= 0.05


def test_a_certificate_has_the_upper_end_of_the_canary_and_the_lower_of_the_stable() -> None:
    certificate = certify(Stratum(9000, 45, 1000, 5), 0.05)
    assert certificate.canary_at_most == upper_bound(5, 1000, 0.025)
    assert certificate.stable_at_least == lower_bound(45, 9000, 0.025)
    assert certificate.increase_at_most == certificate.canary_at_most - certificate.stable_at_least


def needed(counts: Stratum, *, at_least: int = 50, max_increase: float = 0.01) -> int | None:
    return canary_requests_needed(
        counts, beta=0.05, max_increase=max_increase, at_least=at_least, stable_per_canary=9.0
    )


def test_the_number_needed_is_the_first_that_certifies_at_the_same_rates() -> None:
    counts = Stratum(1800, 9, 200, 1)
    total = needed(counts)
    assert total is not None
    assert total > 200
    factor = total / 200
    reached = Stratum(round(1800 * factor), round(9 * factor), total, round(factor))
    assert certify(reached, 0.05).increase_at_most == pytest.approx(0.01, abs=5e-4)  # bad attempts are whole numbers


def test_a_certified_canary_needs_no_more_and_never_less_than_the_least() -> None:
    assert needed(Stratum(90_000, 450, 10_000, 50)) == 10_000
    assert needed(Stratum(90, 0, 10, 0), max_increase=0.9) == 50


def test_no_number_is_enough_when_the_rates_differ_by_more_than_allowed() -> None:
    assert needed(Stratum(900, 9, 100, 2)) is None
    assert needed(Stratum(900, 9, 0, 0)) is None
    assert needed(Stratum(0, 0, 100, 0)) is None
