"""The interface of one-shot engines, on one screen.

Such an engine gets a batch of inputs as token ids and returns the vectors of each (``EngineFacts.rows``), in one call.
What goes into a batch is decided above it, in ``podium.engine.batching``, the same for all engines.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, Protocol

import msgspec

from podium.core.one_shot import InputIds, Task, Vectors
from podium.engine.interface import EngineFacts

Pooling = Literal["mean", "cls", "last"]
"""How token vectors become one: their mean, the first one's, the last one's."""


class EmbeddingPlan(msgspec.Struct, frozen=True, tag="embed"):
    """How a checkpoint's last hidden states become embeddings. ``normalize``: to length 1.

    ``max_model_len`` is the longest input that the checkpoint was made for, in tokens; 0 is unknown.
    """

    pooling: Pooling = "mean"
    normalize: bool = True
    max_model_len: int = 0

    @property
    def task(self) -> Task:
        """What the model does."""
        return "embed"


class ClassificationPlan(msgspec.Struct, frozen=True, tag="classify"):
    """What a sequence classifier's numbers are: one for each of ``labels``, as the model gives them.

    ``multi_label``: each label holds or not by itself, else exactly one does. A model of the task ``rerank`` has one
    label, relevance; one of ``zero_shot`` has one that is entailment. ``max_model_len`` as above.
    """

    labels: tuple[str, ...]
    task: Literal["classify", "rerank", "zero_shot"] = "classify"
    multi_label: bool = False
    max_model_len: int = 0


class TokenPlan(msgspec.Struct, frozen=True, tag="tokens"):
    """A number for each of ``labels`` and each token; ``max_model_len`` as above.

    A model that answers questions has two: where an answer begins, and where it ends.
    """

    labels: tuple[str, ...]
    task: Literal["token_classification", "question_answering"] = "token_classification"
    max_model_len: int = 0


class FillMaskPlan(msgspec.Struct, frozen=True, tag="fill_mask"):
    """For each mask of an input, the ``most`` likeliest tokens: their probabilities by fall, then their ids.

    ``mask_token_id``: the token that stands for what is to be found; ``max_model_len`` as above.
    """

    mask_token_id: int
    mask_token: str
    most: int = 100
    max_model_len: int = 0

    @property
    def task(self) -> Task:
        """What the model does."""
        return "fill_mask"


Plan = EmbeddingPlan | ClassificationPlan | TokenPlan | FillMaskPlan


def facts_of(plan: Plan, dimensions: int) -> dict[str, Any]:
    """The members of ``EngineFacts`` that follow from a plan; ``dimensions`` of an embedding are the model's."""
    match plan:
        case EmbeddingPlan():
            return {"task": plan.task, "dimensions": dimensions}
        case FillMaskPlan(mask_token_id=mask_token_id, mask_token=mask_token, most=most):
            mask = {"mask_token_id": mask_token_id, "mask_token": mask_token}
            return {"task": plan.task, "dimensions": 2 * most, "rows_of": "mask", **mask}
        case TokenPlan(labels=labels):
            return {"task": plan.task, "dimensions": len(labels), "labels": labels, "rows_of": "token"}
        case ClassificationPlan(labels=labels, multi_label=multi_label):
            return {"task": plan.task, "dimensions": len(labels), "labels": labels, "multi_label": multi_label}


class BatchLimits(msgspec.Struct, frozen=True):
    """When a batch is full (inputs, or tokens with padding), and how long it waits to be."""

    max_inputs: int = 32
    max_tokens: int = 8192
    delay_seconds: float = 0.002


class OneShotLoad(msgspec.Struct, frozen=True):
    """What a worker needs to know of a one-shot model besides its folder."""

    plan: Plan = EmbeddingPlan()
    limits: BatchLimits = BatchLimits()


class OneShotEngine(Protocol):
    """Computes vectors. Not thread-safe: one thread calls everything."""

    facts: EngineFacts

    def compute(self, batch: Sequence[InputIds]) -> Vectors:
        """The rows of each sequence, in order. Blocks while computing.

        No sequence is empty or longer than ``facts.max_model_len``. Raises ``EngineError`` when this batch
        cannot be computed and another one might.
        """

    def close(self) -> None:
        """Free everything."""
