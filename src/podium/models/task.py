"""What a checkpoint does, by its configuration."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from podium.core.errors import UnsupportedArchitecture
from podium.core.one_shot import Task
from podium.models.sentence_embedding import MODULES
from podium.models.task_plans import entailment_of, label_names

CAUSAL_SUFFIXES = ("ForCausalLM", "LMHeadModel")
_ENCODERS = (
    "Bert", "Roberta", "XLMRoberta", "MPNet", "DistilBert", "Albert", "Camembert", "Electra", "Deberta", "DebertaV2",
    "ModernBert", "NomicBert", "Ernie",
)  # fmt: skip


def _with_head(suffix: str) -> frozenset[str]:
    return frozenset(name + suffix for name in _ENCODERS)


_WRITERS = frozenset({
    "T5ForConditionalGeneration", "MT5ForConditionalGeneration", "BartForConditionalGeneration",
    "MBartForConditionalGeneration", "PegasusForConditionalGeneration", "M2M100ForConditionalGeneration",
    "MarianMTModel",
})  # fmt: skip
_EMBEDDERS = _with_head("Model")
_CLASSIFIERS = _with_head("ForSequenceClassification")
_HEADS: dict[Task, frozenset[str]] = {
    "classify": _CLASSIFIERS,
    "rerank": _CLASSIFIERS,
    "zero_shot": _CLASSIFIERS,
    "token_classification": _with_head("ForTokenClassification"),
    "fill_mask": _with_head("ForMaskedLM"),
    "question_answering": _with_head("ForQuestionAnswering"),
}
_SUPPORTED = (
    "supported are causal language models (architectures that end in ForCausalLM or LMHeadModel), encoder-decoders "
    "of text (T5, MT5, Bart, MBart, Pegasus and M2M100 with ForConditionalGeneration, MarianMTModel), text encoders "
    "that embed (BertModel, XLMRobertaModel, MPNetModel and the like) and such encoders with "
    "ForSequenceClassification, ForTokenClassification, ForQuestionAnswering or ForMaskedLM"
)


def task_of(folder: Path, config: dict[str, Any], wanted: Literal["auto"] | Task = "auto") -> tuple[Task, str]:
    """The task and the architecture that does it.

    Asked for nothing, a folder of sentence-transformers or an encoder embeds, one with a classification head
    classifies (with a single output it reranks, with one for entailment it is there for zero-shot labels), one with
    another head does what that is for. A causal language model generates, an encoder-decoder turns text into text and
    does nothing else. Asked to embed, any other architecture may. Raises ``UnsupportedArchitecture``.
    """
    names = _architectures(config)
    fitting: dict[Task, Sequence[str]] = {
        "generate": [name for name in names if name.endswith(CAUSAL_SUFFIXES)],
        "text2text_generation": [name for name in names if name in _WRITERS],
        "embed": names,
        **{task: [name for name in names if name in heads] for task, heads in _HEADS.items()},
    }
    task = _inferred(folder, config, names) if wanted == "auto" else wanted
    two_parts = config.get("is_encoder_decoder", any(name in _WRITERS for name in names))
    if not fitting[task] or bool(two_parts) != (task == "text2text_generation"):
        raise UnsupportedArchitecture(f"The model cannot {task}; {_SUPPORTED}.")
    if task == "rerank" and len(label_names(config)) != 1:
        raise UnsupportedArchitecture(
            f"The model cannot rerank, only classify: it has {len(label_names(config))} outputs, and relevance is one."
        )
    if task == "zero_shot" and entailment_of(label_names(config)) < 0:
        raise UnsupportedArchitecture(
            "The model cannot do zero_shot, only classify: none of its labels (id2label) begins with “entail”."
        )
    return task, fitting[task][0]


def _inferred(folder: Path, config: dict[str, Any], names: Sequence[str]) -> Task:
    if any(name in _WRITERS for name in names):
        return "text2text_generation"
    if any(name in _CLASSIFIERS for name in names):
        labels = label_names(config)
        return "rerank" if len(labels) == 1 else "classify" if entailment_of(labels) < 0 else "zero_shot"
    for task in ("token_classification", "question_answering"):
        if any(name in _HEADS[task] for name in names):
            return task
    if any(name in _EMBEDDERS for name in names) or (folder / MODULES).is_file():
        return "embed"
    if any(name in _HEADS["fill_mask"] for name in names):
        return "fill_mask"
    return "generate"


def _architectures(config: dict[str, Any]) -> Sequence[str]:
    named = config.get("architectures")
    names = [name for name in named if isinstance(name, str)] if isinstance(named, list) else []
    if not names:
        raise UnsupportedArchitecture(f"config.json names no architecture; {_SUPPORTED}.")
    return names
