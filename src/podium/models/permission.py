"""Which models a caller may use, and for what."""

from __future__ import annotations

from podium.core.errors import ModelNotFound, UnsupportedTask
from podium.core.identity import Principal
from podium.core.one_shot import Task
from podium.engine.interface import EngineFacts
from podium.models.registry import NO_SUCH_MODEL, Models

_MOST_NAMES = 8
_INSTEAD = {
    "generate": "It generates text: use /v1/chat/completions, /v1/completions or /generate.",
    "text2text_generation": "It turns a text into another one: use /v1/completions or /generate.",
    "embed": "It computes embeddings: use /v1/embeddings.",
    "classify": "It classifies texts: use /v1/classify.",
    "rerank": "It tells how relevant a text is to a question: use /v1/rerank.",
    "zero_shot": "It tells which of given labels fit a text: use /v1/zero-shot-classification, or /v1/classify.",
    "token_classification": "It finds entities in texts: use /v1/token-classification.",
    "fill_mask": "It fills masks in texts: use /v1/fill-mask.",
    "question_answering": "It finds answers in texts: use /v1/question-answering.",
}


def permitted(models: Models, caller: Principal, model: str) -> str:
    """``model``, if the caller may use it; else it is as unknown as any other name (``ModelNotFound``)."""
    if not caller.may_use(models.find(model).config.name):
        raise ModelNotFound(NO_SUCH_MODEL, param="model")
    return model


def refuse_other_task(models: Models, caller: Principal, facts: EngineFacts, *wanted: Task) -> None:
    """Raise ``UnsupportedTask``, which names the caller's models that can, unless ``facts`` have a wanted task."""
    if facts.task in wanted:
        return
    able = sorted({one.name for one in models.list() if one.task in wanted and caller.may_use(one.name)})
    instead = f"Models here that do: {', '.join(able[:_MOST_NAMES])}." if able else "No model here does."
    task = " or ".join(wanted)
    raise UnsupportedTask(
        f"This model's task is {facts.task}, not {task}. {_INSTEAD[facts.task]} {instead}", param="model"
    )
