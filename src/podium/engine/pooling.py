"""From the vectors of tokens to the vector of a sequence."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from podium.core.one_shot import Vectors
from podium.engine.one_shot import Pooling

_LEAST_LENGTH = 1e-12


def pooled(hidden: NDArray[Any], mask: NDArray[Any], pooling: Pooling) -> Vectors:
    """float32, shape (sequences, dimensions).

    ``hidden``: shape (sequences, tokens, dimensions). ``mask``: shape (sequences, tokens), 1 for tokens of the
    input and 0 for padding, which stands behind them; no row is without a 1.
    """
    match pooling:
        case "cls":
            found = hidden[:, 0]
        case "last":
            found = hidden[np.arange(len(hidden)), mask.sum(axis=1) - 1]
        case "mean":
            weights = mask.astype(hidden.dtype)[:, :, None]
            found = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
    return np.ascontiguousarray(found, dtype=np.float32)


def normalized(vectors: Vectors) -> Vectors:
    """Each row at length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Vectors = (vectors / np.maximum(lengths, _LEAST_LENGTH)).astype(np.float32, copy=False)
    return unit
