"""What a checkpoint's configuration says of its labels."""

from __future__ import annotations

from typing import Any, Literal

from podium.core.errors import CheckpointInvalid
from podium.engine.one_shot import ClassificationPlan

RELEVANCE = "relevance"
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


def classification_plan(
    task: Literal["classify", "rerank"], config: dict[str, Any] | None = None
) -> ClassificationPlan:
    """How to read what the checkpoint of ``config`` computes; None: no files, and labels that only have numbers."""
    if task == "rerank":
        return ClassificationPlan((RELEVANCE,), task=task)
    multi_label = config is not None and config.get("problem_type") == "multi_label_classification"
    return ClassificationPlan(label_names(config or {}), multi_label=multi_label)
