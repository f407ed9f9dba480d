"""The order of runs."""

from __future__ import annotations

import pytest

from podium.bench.comparison.order import interleaved


@pytest.mark.parametrize("pairs", [1, 2, 5, 8])
def test_neighbours_form_pairs_of_one_run_of_each_side(pairs: int) -> None:
    order = interleaved(pairs, seed=3)
    assert [{first, second} for first, second in zip(order[::2], order[1::2], strict=True)] == [{"A", "B"}] * pairs


def test_within_a_block_of_four_a_steady_drift_cancels() -> None:
    order = interleaved(40, seed=1)
    for at in range(0, 80, 4):
        assert [i for i in range(4) if order[at + i] == "A"] in ([0, 3], [1, 2])


def test_which_side_begins_is_a_coin_of_the_seed() -> None:
    first = [interleaved(2, seed)[0] for seed in range(200)]
    assert 70 < first.count("A") < 130
    assert interleaved(6, seed=5) == interleaved(6, seed=5)
