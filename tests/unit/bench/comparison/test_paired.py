"""The sign-flip test against another implementation, and the coverage of its interval."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from podium.bench.comparison.paired import MOST_EXACT, fewest_pairs, p_values, sign_flip


def test_the_p_value_is_that_of_the_exact_permutation_test() -> None:
    differences = np.random.default_rng(4).normal(0.02, 0.05, 9)
    theirs = scipy.stats.permutation_test(
        (differences,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", n_resamples=np.inf
    )
    assert sign_flip(differences, 0.05).p_value == pytest.approx(theirs.pvalue)


@pytest.mark.parametrize("pairs", [8, MOST_EXACT + 4])
def test_the_interval_holds_the_truth_as_often_as_it_says(pairs: int) -> None:
    draw = np.random.default_rng(7)
    held = 0
    for _ in range(400):
        interval = sign_flip(draw.standard_t(4, pairs) * 0.02 + 0.05, 0.05).interval
        assert interval is not None
        held += interval[0] <= 0.05 <= interval[1]
    assert held >= 0.92 * 400  # 95 % minus three standard errors


def test_test_and_interval_agree() -> None:
    draw = np.random.default_rng(11)
    for _ in range(100):
        found = sign_flip(draw.normal(0.03, 0.04, 10), 0.05)
        assert found.interval is not None
        assert (found.p_value <= 0.05) == (found.interval[0] > 0 or found.interval[1] < 0)


def test_too_few_pairs_have_no_interval_and_no_small_p_value() -> None:
    assert fewest_pairs(0.05) == 6
    found = sign_flip(np.array([0.1, 0.11, 0.09, 0.1, 0.1]), 0.05)
    assert found.interval is None
    assert found.p_value == pytest.approx(2 / 32)


def test_many_comparisons_at_once_give_the_same_p_values() -> None:
    differences = np.random.default_rng(2).normal(0, 1, (7, 5))
    alone = [sign_flip(differences[:, at], 0.05).p_value for at in range(5)]
    assert list(p_values(differences)) == pytest.approx(alone)
