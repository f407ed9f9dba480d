"""What a checkpoint does, by its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from podium.core.errors import UnsupportedArchitecture
from podium.core.one_shot import Task
from podium.models.sentence_embedding import MODULES

CAUSAL_SUFFIXES = ("ForCausalLM", "LMHeadModel")
_ENCODERS = (
    "Bert", "Roberta", "XLMRoberta", "MPNet", "DistilBert", "Albert", "Camembert", "Electra", "Deberta", "DebertaV2",
    "ModernBert", "NomicBert", "Ernie",
)  # fmt: skip
_ENCODER_ARCHITECTURES = frozenset(name + suffix for name in _ENCODERS for suffix in ("Model", "ForMaskedLM"))
_SUPPORTED = (
    "supported are causal language models (architectures that end in ForCausalLM or LMHeadModel) and text encoders "
    "that embed (BertModel, XLMRobertaModel, MPNetModel and the like)"
)


def task_of(
    folder: Path, config: dict[str, Any], wanted: Literal["auto", "generate", "embed"] = "auto"
) -> tuple[Task, str]:
    """The task and the architecture that does it.

    Asked for nothing, a folder of sentence-transformers or an encoder embeds, a causal language model generates.
    Asked to embed, any architecture may that is not an encoder-decoder. Raises ``UnsupportedArchitecture``.
    """
    names = _architectures(config)
    causal = [name for name in names if name.endswith(CAUSAL_SUFFIXES)]
    encoders = [name for name in names if name in _ENCODER_ARCHITECTURES]
    task: Task | None = wanted if wanted != "auto" else None
    if task is None:
        task = "embed" if encoders or (folder / MODULES).is_file() else "generate"
    fitting = causal if task == "generate" else names
    if not fitting or config.get("is_encoder_decoder"):
        raise UnsupportedArchitecture(f"The model cannot {task}; {_SUPPORTED}.")
    return task, fitting[0]


def _architectures(config: dict[str, Any]) -> Sequence[str]:
    named = config.get("architectures")
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    if not names:
        raise UnsupportedArchitecture(f"config.json names no architecture; {_SUPPORTED}.")
    return names
