"""The interface of one-shot engines, on one screen.

Such an engine gets a batch of token sequences and returns one vector for each, in one call. What goes into a
batch is decided above it, in ``podium.engine.batching``, the same for all engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Protocol

import msgspec

from podium.core.one_shot import Vectors
from podium.engine.interface import EngineFacts

Pooling = Literal["mean", "cls", "last"]
"""How token vectors become one: their mean, the first one's, the last one's."""


class EmbeddingPlan(msgspec.Struct, frozen=True):
    """How a checkpoint's last hidden states become embeddings. ``normalize``: to length 1.

    ``max_model_len`` is the longest input that the checkpoint was made for, in tokens; 0 is unknown.
    """

    pooling: Pooling = "mean"
    normalize: bool = True
    max_model_len: int = 0


class BatchLimits(msgspec.Struct, frozen=True):
    """When a batch is full (inputs, or tokens with padding), and how long it waits to be."""

    max_inputs: int = 32
    max_tokens: int = 8192
    delay_seconds: float = 0.002


class OneShotLoad(msgspec.Struct, frozen=True):
    """What a worker needs to know of a one-shot model besides its folder."""

    plan: EmbeddingPlan = EmbeddingPlan()
    limits: BatchLimits = BatchLimits()


class OneShotEngine(Protocol):
    """Computes vectors. Not thread-safe: one thread calls everything."""

    facts: EngineFacts

    def compute(self, batch: Sequence[tuple[int, ...]]) -> Vectors:
        """One row for each sequence, in order. Blocks while computing.

        No sequence is empty or longer than ``facts.max_model_len``. Raises ``EngineError`` when this batch
        cannot be computed and another one might.
        """

    def close(self) -> None:
        """Free everything."""
