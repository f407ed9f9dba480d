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


def real_rows(values: NDArray[Any], mask: NDArray[Any]) -> Vectors:
    """The rows of tokens, one sequence after the other, without those of padding. Shapes as of ``hidden`` above."""
    return np.ascontiguousarray(values[mask == 1], dtype=np.float32)


def likeliest(logits: NDArray[Any], most: int) -> Vectors:
    """For each row of ``logits`` (shape (rows, vocabulary)) the ``most`` greatest probabilities, then their ids.

    float32, shape (rows, 2 · ``most``); ids up to 2**24 are exact in it.
    """
    exact = logits.astype(np.float64)
    powers = np.exp(exact - exact.max(axis=1, keepdims=True))
    chosen = np.argpartition(-exact, most - 1, axis=1)[:, :most]
    order = np.argsort(-np.take_along_axis(exact, chosen, axis=1), axis=1, kind="stable")
    ids = np.take_along_axis(chosen, order, axis=1)
    probabilities = np.take_along_axis(powers, ids, axis=1) / powers.sum(axis=1, keepdims=True)
    found: Vectors = np.concatenate([probabilities, ids], axis=1).astype(np.float32)
    return found
