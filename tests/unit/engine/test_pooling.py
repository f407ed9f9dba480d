"""From token vectors to one vector."""

from __future__ import annotations

import numpy as np
import pytest

from podium.engine.one_shot import Pooling
from podium.engine.pooling import normalized, pooled

HIDDEN = np.array([[[1, 2], [3, 6], [100, 100]], [[5, 5], [7, 9], [9, 1]]], dtype=np.float32)
MASK = np.array([[1, 1, 0], [1, 1, 1]])


@pytest.mark.parametrize(
    ("pooling", "expected"),
    [("mean", [[2, 4], [7, 5]]), ("cls", [[1, 2], [5, 5]]), ("last", [[3, 6], [9, 1]])],
)
def test_padding_never_counts(pooling: Pooling, expected: list[list[float]]) -> None:
    assert pooled(HIDDEN, MASK, pooling).tolist() == expected


def test_rows_are_brought_to_length_one_and_zeros_stay_zeros() -> None:
    unit = normalized(np.array([[3, 4], [0, 0]], dtype=np.float32))
    assert np.allclose(unit, np.array([[0.6, 0.8], [0, 0]]))
    assert unit.dtype == np.float32
