"""What is proven about the best candidate."""

from __future__ import annotations

import numpy as np

from podium.bench.tuning.goal import Score
from podium.bench.tuning.proof import prove


def scores(level: float, seed: int, *, missed: float = 0.0, count: int = 8) -> list[Score]:
    draw = np.random.default_rng(seed)
    return [Score(value=level * float(factor), missed=missed) for factor in np.exp(draw.normal(0, 0.01, count))]


def test_a_candidate_that_needs_less_is_better() -> None:
    found = prove(scores(1.0, 1), scores(0.9, 2))
    assert found.better
    assert found.interval is not None
    assert -0.13 < found.interval[0] < -0.1 < found.interval[1] < -0.08


def test_when_none_is_better_it_is_said_how_much_could_be_gained_at_most() -> None:
    found = prove(scores(1.0, 1), scores(1.0, 2))
    assert not found.better
    assert found.most_gained is not None
    assert 0 <= found.most_gained < 0.03


def test_a_faster_candidate_that_misses_objectives_is_not_better() -> None:
    assert not prove(scores(1.0, 1), scores(0.5, 2, missed=0.2)).better


def test_too_few_pairs_prove_nothing() -> None:
    found = prove(scores(1.0, 1, count=3), scores(0.5, 2, count=3))
    assert not found.better
    assert found.most_gained is None
