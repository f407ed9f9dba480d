"""Which pieces of a text are the likeliest answers."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from podium.core.one_shot import SPECIAL, Spans, Vectors
from podium.models.question_answering import Search, best_answers


def window(count: int) -> tuple[Vectors, Spans]:
    """Numbers of a window whose first token stands for no answer, and whose others are words of one letter."""
    scores = np.random.default_rng(68).normal(size=(count, 2)).astype(np.float32)
    starts = (SPECIAL, *range(count - 1))
    return scores, Spans(starts, (SPECIAL, *range(1, count)), (-1, *range(count - 1)), (False,) * count)


def probabilities(scores: Vectors) -> Vectors:
    powers = np.exp(scores.astype(np.float64))
    found: Vectors = powers / powers.sum(axis=0)
    return found


@pytest.mark.parametrize("count", [2, 7, 60])
@pytest.mark.parametrize("most_tokens", [1, 4, 512])
def test_they_are_those_of_all_pairs_that_are_near_enough(count: int, most_tokens: int) -> None:
    scores, spans = window(count)
    first, last = probabilities(scores).T
    pairs = [(i, j) for i in range(1, count) for j in range(i, min(count, i + most_tokens))]
    best = sorted(pairs, key=lambda pair: -first[pair[0]] * last[pair[1]])[:5]
    found = best_answers([(scores, spans)], Search(5, most_tokens))
    assert [(one.start, one.end) for one in found] == [(i - 1, j) for i, j in best]
    assert [one.score for one in found] == pytest.approx([first[i] * last[j] for i, j in best], rel=1e-5)


def test_a_long_window_takes_no_memory_for_pairs_that_are_too_far_apart() -> None:
    long = window(8192)
    tracemalloc.start()
    try:
        assert best_answers([long], Search(1, 15))
        assert tracemalloc.get_traced_memory()[1] < 32 * 1024**2
    finally:
        tracemalloc.stop()
