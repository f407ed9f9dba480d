"""What the files of sentence-transformers say of an embedding checkpoint, and what the settings say instead."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from podium.config.models import Embedding, Model
from podium.core.errors import CheckpointInvalid, UnsupportedArchitecture
from podium.engine.one_shot import BatchLimits, EmbeddingPlan, OneShotLoad, Plan, Pooling
from podium.models.small_json import read_json

MODULES = "modules.json"
LENGTHS = ("sentence_bert_config.json", "sentence_roberta_config.json", "sentence_mpnet_config.json")

_POOLING_MEMBERS: dict[str, Pooling] = {
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_cls_token": "cls",
    "pooling_mode_lasttoken": "last",
}
_POOLING_WORDS: dict[str, Pooling] = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
# These count positions from the padding token's id on: two of the positions hold no token.
_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "mpnet", "xlm-roberta-xl"})


def one_shot_load(model: Model, plan: Plan) -> OneShotLoad:
    """What the worker gets: the plan, and how inputs are batched."""
    batching = model.batching
    limits = BatchLimits(batching.max_inputs, batching.max_tokens, batching.delay_seconds)
    return OneShotLoad(plan=plan, limits=limits)


def embedding_plan(settings: Embedding, folder: Path | None = None) -> EmbeddingPlan:
    """How the checkpoint in ``folder`` makes embeddings; ``settings`` win over what it says. None: no files.

    Raises ``UnsupportedArchitecture`` for modules and poolings that are not computed here, and
    ``CheckpointInvalid`` for damaged files.
    """
    modules = [] if folder is None else _modules(folder)
    pooling: Pooling = "mean"
    if settings.pooling != "auto":
        pooling = settings.pooling
    elif folder is not None and "Pooling" in (kinds := dict(modules)):
        pooling = _pooling(folder / kinds["Pooling"])
    normalize = settings.normalize
    if normalize is None:
        normalize = not modules or any(kind == "Normalize" for kind, _ in modules)
    return EmbeddingPlan(
        pooling=pooling,
        normalize=normalize,
        max_model_len=0 if folder is None else _max_model_len(folder),
    )


def _modules(folder: Path) -> list[tuple[str, str]]:
    """(kind, subfolder) of each module in order; none without modules.json."""
    if not (folder / MODULES).is_file():
        return []
    listed = read_json(folder, MODULES, list[dict[str, Any]])
    modules = [(str(module.get("type", "")).rpartition(".")[2], str(module.get("path", ""))) for module in listed]
    for kind, path in modules:
        if kind not in {"Transformer", "Pooling", "Normalize"}:
            raise UnsupportedArchitecture(
                "modules.json names a module that is not computed here; supported are Transformer, Pooling, Normalize."
            )
        if path and Path(path).name != path:
            raise CheckpointInvalid("modules.json points outside the model folder; use the original file.")
    return modules


def _pooling(folder: Path) -> Pooling:
    config = read_json(folder, "config.json", dict[str, Any])
    word = config.get("pooling_mode")
    if isinstance(word, str):
        found = _POOLING_WORDS.get(word)
    else:
        modes = [name for name, value in config.items() if name.startswith("pooling_mode_") and value is True]
        found = _POOLING_MEMBERS.get(modes[0]) if len(modes) == 1 else None
    if found is None:
        raise UnsupportedArchitecture(
            "The checkpoint's pooling is none of mean, cls and last token; if it is meant to work with one of them, "
            "set models[].embedding.pooling."
        )
    return found


def _max_model_len(folder: Path) -> int:
    for name in LENGTHS:
        if (folder / name).is_file():
            length = read_json(folder, name, dict[str, Any]).get("max_seq_length")
            if isinstance(length, int) and length > 0:
                return length
    return 0


def position_count(config: dict[str, Any]) -> int:
    """How many tokens the position embeddings of a config.json hold; 0 is unknown."""
    positions = config.get("max_position_embeddings")
    if not isinstance(positions, int):
        return 0
    if config.get("model_type") in _OFFSET_POSITIONS:
        padding = config.get("pad_token_id")
        positions -= (padding if isinstance(padding, int) else 1) + 1
    return positions
