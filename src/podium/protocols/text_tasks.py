"""Requests and answers of tasks that find something in texts: entities, fitting labels, fillings of masks, answers.

No dialect has routes for these. The members are those of transformers' pipelines.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema

from podium.protocols.tasks import MAX_INPUTS, OneShotMembers, TaskUsage

MOST_LABELS = 256
MOST_TEMPLATE_CHARACTERS = 1024


def _texts(value: Any) -> tuple[str, ...]:
    """A string, or strings."""
    given = [value] if isinstance(value, str) else value
    if type(given) is not list or not given or not all(isinstance(text, str) and text for text in given):
        raise ValueError("must be a string or a list of strings, none of them empty")
    return tuple(given)


def _labels(value: Any) -> tuple[str, ...]:
    """Different strings."""
    labels = _texts(value)
    if type(value) is not list or len(labels) > MOST_LABELS or len(set(labels)) < len(labels):
        raise ValueError(f"must be a list of 1 to {MOST_LABELS} different strings")
    return labels


def _names(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not all(isinstance(name, str) for name in value):
        raise ValueError("must be a list of strings")
    return tuple(value)


_TEXT = {"type": "string", "minLength": 1}
_TEXT_LIST = {"type": "array", "minItems": 1, "maxItems": MAX_INPUTS, "items": _TEXT}
_LABELS_SCHEMA = {**_TEXT_LIST, "maxItems": MOST_LABELS, "uniqueItems": True}
Texts = Annotated[tuple[str, ...], PlainValidator(_texts), WithJsonSchema({"anyOf": [_TEXT, _TEXT_LIST]})]
Names = Annotated[
    tuple[str, ...], PlainValidator(_names), WithJsonSchema({"type": "array", "items": {"type": "string"}})
]
Labels = Annotated[tuple[str, ...], PlainValidator(_labels), WithJsonSchema(_LABELS_SCHEMA)]


class TokenClassificationRequest(OneShotMembers):
    """``POST /v1/token-classification``."""

    input: Texts = Field(description="A text, or texts; at most 2048.")
    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] = Field(
        "simple",
        description="How tokens become entities. `none`: each is one. `simple`: neighbours with one label are. The "
        "others first make words of tokens, with the label of the first token, of their average or of the surest one.",
    )
    ignore_labels: Names = Field(("O",), description="Labels (or groups of them) that are left out.")


class ZeroShotRequest(OneShotMembers):
    """``POST /v1/zero-shot-classification``."""

    input: Texts = Field(description="A text, or texts; times the labels, at most 2048.")
    candidate_labels: Labels = Field(description="Different labels, at most 256.")
    hypothesis_template: str = Field(
        "This example is {}.",
        min_length=2,
        max_length=MOST_TEMPLATE_CHARACTERS,
        description="A sentence with {} once, where the label goes.",
    )
    multi_label: bool = Field(False, description="Whether several labels may fit: then each score stands for itself.")


class FillMaskRequest(OneShotMembers):
    """``POST /v1/fill-mask``."""

    input: Texts = Field(description="A text with the model's mask token in it, or several; at most 2048.")
    top_k: int = Field(5, ge=1, le=100, description="How many tokens for each mask.")


class QuestionAnsweringRequest(OneShotMembers):
    """``POST /v1/question-answering``."""

    question: str = Field(min_length=1, description="What is asked.")
    context: str = Field(min_length=1, description="The text that holds the answer; at most 2,048 windows of it.")
    top_k: int = Field(1, ge=1, le=100, description="At most that many answers.")
    max_answer_len: int = Field(15, ge=1, le=512, description="Longest answer, in tokens.")
    handle_impossible_answer: bool = Field(False, description="Whether one answer may be that there is none.")
    max_seq_len: int | None = Field(
        None, ge=16, description="Tokens of a window, the question included; none is 384, or the model's context."
    )
    doc_stride: int = Field(128, ge=0, description="Tokens that neighbouring windows of a long text share.")


class FoundEntity(msgspec.Struct, frozen=True, omit_defaults=True):
    """``input[start:end]``, in characters. With an aggregation it has an ``entity_group``, else an ``entity``."""

    score: float
    word: str
    start: int
    end: int
    entity_group: str | None = None
    entity: str | None = None


class TaggedInput(msgspec.Struct, frozen=True):
    """One input: its entities in the order of their places."""

    index: int
    entities: list[FoundEntity]


class TokenClassificationAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/token-classification``; ``labels`` are the model's."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    labels: list[str]
    data: list[TaggedInput]
    usage: TaskUsage


class FittingLabels(msgspec.Struct, frozen=True):
    """One input: the labels by falling score."""

    index: int
    labels: list[str]
    scores: list[float]


class ZeroShotAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/zero-shot-classification``."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    multi_label: bool
    data: list[FittingLabels]
    usage: TaskUsage


class MaskFilling(msgspec.Struct, frozen=True):
    """A token for a mask, and its text."""

    score: float
    token: int
    token_str: str


class FilledInput(msgspec.Struct, frozen=True):
    """One input: for each of its masks the likeliest tokens, by falling score."""

    index: int
    masks: list[list[MaskFilling]]


class FillMaskAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/fill-mask``."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    mask_token: str
    data: list[FilledInput]
    usage: TaskUsage


class AnswerSpan(msgspec.Struct, frozen=True):
    """``context[start:end]``, in characters; empty for the answer that there is none."""

    score: float
    answer: str
    start: int
    end: int


class QuestionAnsweringAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/question-answering``, by falling score; ``windows``: in how many pieces it was read."""

    id: str
    created: int
    model: str
    answers: list[AnswerSpan]
    windows: int
    usage: TaskUsage
