"""What a checkpoint does, by its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from podium.core.errors import UnsupportedArchitecture
from podium.core.one_shot import Task
from podium.models.sentence_embedding import MODULES
from podium.models.sequence_classification import label_names

CAUSAL_SUFFIXES = ("ForCausalLM", "LMHeadModel")
_ENCODERS = (
    "Bert", "Roberta", "XLMRoberta", "MPNet", "DistilBert", "Albert", "Camembert", "Electra", "Deberta", "DebertaV2",
    "ModernBert", "NomicBert", "Ernie",
)  # fmt: skip
_ENCODER_ARCHITECTURES = frozenset(name + suffix for name in _ENCODERS for suffix in ("Model", "ForMaskedLM"))
_CLASSIFIERS = frozenset(name + "ForSequenceClassification" for name in _ENCODERS)
_SUPPORTED = (
    "supported are causal language models (architectures that end in ForCausalLM or LMHeadModel), text encoders that "
    "embed (BertModel, XLMRobertaModel, MPNetModel and the like) and such encoders with ForSequenceClassification"
)


def task_of(folder: Path, config: dict[str, Any], wanted: Literal["auto"] | Task = "auto") -> tuple[Task, str]:
    """The task and the architecture that does it.

    Asked for nothing, a folder of sentence-transformers or an encoder embeds, one with a classification head
    classifies (with a single output it reranks), a causal language model generates. Asked to embed, any
    architecture may that is not an encoder-decoder. Raises ``UnsupportedArchitecture``.
    """
    names = _architectures(config)
    fitting: dict[Task, Sequence[str]] = {
        "generate": [name for name in names if name.endswith(CAUSAL_SUFFIXES)],
        "embed": names,
        "classify": [name for name in names if name in _CLASSIFIERS],
        "rerank": [name for name in names if name in _CLASSIFIERS],
    }
    task = _inferred(folder, config, names) if wanted == "auto" else wanted
    if not fitting[task] or config.get("is_encoder_decoder"):
        raise UnsupportedArchitecture(f"The model cannot {task}; {_SUPPORTED}.")
    if task == "rerank" and len(label_names(config)) != 1:
        raise UnsupportedArchitecture(
            f"The model cannot rerank, only classify: it has {len(label_names(config))} outputs, and relevance is one."
        )
    return task, fitting[task][0]


def _inferred(folder: Path, config: dict[str, Any], names: Sequence[str]) -> Task:
    if any(name in _CLASSIFIERS for name in names):
        return "rerank" if len(label_names(config)) == 1 else "classify"
    if any(name in _ENCODER_ARCHITECTURES for name in names) or (folder / MODULES).is_file():
        return "embed"
    return "generate"


def _architectures(config: dict[str, Any]) -> Sequence[str]:
    named = config.get("architectures")
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    if not names:
        raise UnsupportedArchitecture(f"config.json names no architecture; {_SUPPORTED}.")
    return names
