"""The permutation test of two groups against another implementation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from podium.bench.comparison.unpaired import permutation


def test_the_p_value_is_that_of_the_exact_permutation_test() -> None:
    draw = np.random.default_rng(5)
    first, second = draw.normal(0, 1, 6), draw.normal(0.8, 1, 5)
    theirs = scipy.stats.permutation_test(
        (first, second), lambda x, y, axis: np.mean(y, axis=axis) - np.mean(x, axis=axis), n_resamples=np.inf
    )
    assert permutation(first, second, 0.05).p_value == pytest.approx(theirs.pvalue, rel=0.05)


def test_the_interval_holds_a_known_shift() -> None:
    draw = np.random.default_rng(6)
    held = 0
    for _ in range(40):
        found = permutation(draw.normal(0, 1, 6), draw.normal(2, 1, 6), 0.05)
        assert found.interval is not None
        held += found.interval[0] <= 2 <= found.interval[1]
    assert held >= 34


def test_three_runs_of_each_can_prove_nothing() -> None:
    found = permutation(np.array([1.0, 1.1, 1.05]), np.array([5.0, 5.1, 5.2]), 0.05)
    assert found.interval is None
    assert found.p_value == pytest.approx(0.1)
