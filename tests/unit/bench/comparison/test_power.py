"""How many runs it takes."""

from __future__ import annotations

import numpy as np

from podium.bench.comparison.paired import p_values
from podium.bench.comparison.power import noise_bound, pairs_needed


def test_so_many_pairs_do_find_the_change_and_half_of_them_do_not() -> None:
    pairs = pairs_needed(change=0.05, noise=0.03, metrics=1)
    assert pairs is not None
    draw = np.random.default_rng(99)

    def found(count: int) -> float:
        return float(np.mean(p_values(draw.normal(0.0488, 0.03 * 2**0.5, (count, 500))) <= 0.05))

    assert found(pairs) >= 0.86
    assert found(pairs // 2) < 0.7


def test_more_figures_need_more_pairs() -> None:
    one, five = (pairs_needed(change=0.05, noise=0.02, metrics=metrics) for metrics in (1, 5))
    assert one is not None
    assert five is not None
    assert one < five


def test_runs_that_differ_too_much_cannot_be_compared() -> None:
    assert pairs_needed(change=0.01, noise=0.2, metrics=1) is None


def test_too_few_pairs_find_nothing_at_any_noise() -> None:
    assert noise_bound(5, change=0.05, metrics=1) == 0
    assert 0.01 < noise_bound(10, change=0.05, metrics=1) < 0.05
