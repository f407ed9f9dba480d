"""What a checkpoint's files say of its labels, and of its mask."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from podium.core.errors import CheckpointInvalid
from podium.engine.one_shot import ClassificationPlan, FillMaskPlan, TokenPlan
from podium.engine.tokenizer import Tokenizer

RELEVANCE = "relevance"
ENTAILMENT = "entail"
"""How the label of a text that follows from the other begins, in any case."""
MOST_FILLINGS = 100
ANSWER_LABELS = ("start", "end")
_UNNAMED_INFERENCE = {"id2label": {"0": "contradiction", "1": "entailment"}}
_UNNAMED = 2  # labels of a classifier that names none (transformers' default)


def label_names(config: dict[str, Any]) -> tuple[str, ...]:
    """The labels in the order of the model's outputs. Raises ``CheckpointInvalid`` when ``id2label`` has holes."""
    named = config.get("id2label")
    if isinstance(named, dict) and named:
        numbers = {str(number) for number in range(len(named))}
        if set(named) != numbers or len(set(named.values())) != len(named):
            raise CheckpointInvalid("id2label of config.json should name outputs 0, 1, 2, … by different labels.")
        return tuple(str(named[str(number)]) for number in range(len(named)))
    count = config.get("num_labels", _UNNAMED)
    if not isinstance(count, int) or count < 1:
        raise CheckpointInvalid("num_labels of config.json is no count; fetch the file again.")
    return tuple(f"LABEL_{number}" for number in range(count))


def entailment_of(labels: Sequence[str]) -> int:
    """Which output says that the second text follows; -1 where none does."""
    return next((number for number, label in enumerate(labels) if label.lower().startswith(ENTAILMENT)), -1)


def classification_plan(
    task: Literal["classify", "rerank", "zero_shot"], config: dict[str, Any] | None = None
) -> ClassificationPlan:
    """How to read what the checkpoint of ``config`` computes; None: no files, and labels that only have numbers."""
    if task == "rerank":
        return ClassificationPlan((RELEVANCE,), task=task)
    if task == "zero_shot":
        return ClassificationPlan(label_names(config or _UNNAMED_INFERENCE), task=task)
    multi_label = config is not None and config.get("problem_type") == "multi_label_classification"
    return ClassificationPlan(label_names(config or {}), multi_label=multi_label)


def token_plan(
    task: Literal["token_classification", "question_answering"], config: dict[str, Any] | None = None
) -> TokenPlan:
    """The same for what has numbers for each token."""
    return TokenPlan(ANSWER_LABELS if task == "question_answering" else label_names(config or {}), task=task)


def fill_mask_plan(folder: Path | None = None, vocabulary: int | None = None) -> FillMaskPlan:
    """The mask token of the tokenizer in ``folder`` (None: the echo engine's).

    ``vocabulary``: how many tokens the model knows. Raises ``CheckpointInvalid`` where there is none.
    """
    if folder is None:
        return FillMaskPlan(mask_token_id=ord("_"), mask_token="_")  # noqa: S106 - no secret
    tokenizer = Tokenizer.from_folder(folder)
    mask_token = tokenizer.special_tokens.get("mask_token", "")
    mask_token_id = tokenizer.id_of(mask_token)
    if mask_token_id is None:
        raise CheckpointInvalid("The tokenizer has no mask token; tokenizer_config.json should name it (mask_token).")
    most = min(MOST_FILLINGS, vocabulary or tokenizer.vocab_size)
    return FillMaskPlan(mask_token_id, mask_token, most)
