"""Percentiles, bounds, trends and tests of arrivals, against scipy and the published numbers."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from podium.bench.statistics import distribution, kolmogorov, same_arrivals, slope, upper_rank


@pytest.mark.parametrize(
    ("share", "none", "one"), [(0.9, 44, 64), (0.95, 90, 130), (0.99, 459, 662), (0.999, 4603, 6636)]
)
def test_the_least_samples_for_a_bound_are_those_of_mlperf(share: float, none: int, one: int) -> None:
    assert upper_rank(none - 1, share) is None
    assert upper_rank(none, share) == none
    assert upper_rank(one, share) == one - 1  # one exceedance allowed
    assert upper_rank(one - 1, share) == one - 1


@pytest.mark.parametrize(("count", "share"), [(100, 0.5), (1000, 0.9), (5000, 0.99), (200_000, 0.95)])
def test_a_bound_is_the_binomial_quantile(count: int, share: float) -> None:
    assert upper_rank(count, share) == int(stats.binom(count, share).ppf(0.99)) + 1


def test_a_bound_is_above_the_true_percentile_as_often_as_it_says() -> None:
    random = np.random.default_rng(5)
    true = stats.expon.ppf(0.9)
    rank = upper_rank(200, 0.9)
    assert rank is not None
    held = sum(np.sort(random.exponential(size=200))[rank - 1] >= true for _ in range(2000))
    assert held / 2000 >= 0.985


def test_a_percentile_is_a_sample_that_was_seen() -> None:
    found = distribution([5.0, 1.0, 3.0, 2.0, 4.0])
    assert (found.at(50), found.at(90), found.least, found.most, found.mean) == (3.0, 5.0, 1.0, 5.0, 3.0)
    assert found.std == pytest.approx(np.std([1, 2, 3, 4, 5], ddof=1))
    assert distribution([]).count == 0


def test_a_slope_is_found_with_an_interval_around_it_and_noise_has_none() -> None:
    random = np.random.default_rng(1)
    at = np.arange(400.0)
    low, estimate, high = slope(at, 0.5 * at + random.normal(size=400)) or (0, 0, 0)
    assert low < 0.5 < high
    assert estimate == pytest.approx(0.5, abs=0.01)
    found = [slope(at, random.normal(size=400)) or (0, 0, 0) for _ in range(400)]
    assert sum(low > 0 or high < 0 for low, _, high in found) / 400 < 0.1
    assert slope(at[:19], at[:19]) is None


def test_the_ks_test_agrees_with_scipy() -> None:
    assert kolmogorov(0.8) == pytest.approx(stats.kstwobign.sf(0.8), abs=1e-9)
    random = np.random.default_rng(2)
    first, second = random.random(500), random.random(500) ** 1.2
    assert same_arrivals(first, second) == pytest.approx(stats.ks_2samp(first, second, method="asymp").pvalue, rel=0.1)
    assert same_arrivals(first, first) == 1.0
