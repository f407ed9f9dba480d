"""Bounds on shares against another implementation."""

from __future__ import annotations

import pytest
import scipy.stats

from podium.bench.search.bounds import incomplete_beta, lower_bound, upper_bound


@pytest.mark.parametrize(("bad", "count"), [(0, 44), (1, 64), (50, 1000), (3.7, 81.2), (990, 1000), (30_000, 10**6)])
def test_bounds_are_those_of_clopper_and_pearson(bad: float, count: float) -> None:
    assert upper_bound(bad, count, 0.01) == pytest.approx(scipy.stats.beta.ppf(0.99, bad + 1, count - bad))
    expected = scipy.stats.beta.ppf(0.01, bad, count - bad + 1) if bad else 0.0
    assert lower_bound(bad, count, 0.01) == pytest.approx(expected)


def test_the_ends_are_the_ends() -> None:
    assert upper_bound(10, 10, 0.01) == 1.0
    assert lower_bound(0, 10, 0.01) == 0.0
    assert (incomplete_beta(0, 2, 3), incomplete_beta(1, 2, 3)) == (0.0, 1.0)


def test_the_least_samples_of_mlperf_come_out() -> None:
    """With 99 % confidence 662 requests with one exceedance bound a p99, and 459 without any."""
    assert upper_bound(1, 662, 0.01) <= 0.01 < upper_bound(1, 661, 0.01)
    assert upper_bound(0, 459, 0.01) <= 0.01 < upper_bound(0, 458, 0.01)
