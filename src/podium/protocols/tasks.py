"""Requests and answers of the one-shot tasks that have no OpenAI route: reranking and classification.

``/rerank`` is the form that Cohere and Jina share, ``/classify`` that of vLLM, with the labels' names added.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema

from podium.protocols.wire import WireModel

MAX_INPUTS = 2048
Pair = tuple[str, str]


def _documents(value: Any) -> tuple[str, ...]:
    """Strings, or objects with a ``text``."""
    if type(value) is not list or not value:
        raise ValueError("must be a list of strings, or of objects with a string `text`")
    texts = [one.get("text") if type(one) is dict else one for one in value]
    found = tuple(text for text in texts if isinstance(text, str) and text)
    if len(found) < len(texts):
        raise ValueError("must hold only strings that are not empty, or objects with such a `text`")
    return found


def _inputs(value: Any) -> tuple[str | Pair, ...]:
    """A text, or a list of texts and of pairs of texts."""
    given = [value] if isinstance(value, str) else value
    if type(given) is not list or not given:
        raise ValueError("must be a string, or a list of strings and of pairs of strings")
    return tuple(_input(one) for one in given)


def _input(value: Any) -> str | Pair:
    if isinstance(value, str) and value:
        return value
    if type(value) is list and len(value) == 2 and all(isinstance(text, str) and text for text in value):
        return value[0], value[1]
    raise ValueError("must hold only strings that are not empty, and lists of two of them")


_TEXT = {"type": "string", "minLength": 1}
_DOCUMENTS_SCHEMA = {
    "type": "array",
    "minItems": 1,
    "maxItems": MAX_INPUTS,
    "items": {"anyOf": [_TEXT, {"type": "object", "required": ["text"], "properties": {"text": _TEXT}}]},
}
_INPUTS_SCHEMA = {
    "anyOf": [
        _TEXT,
        {
            "type": "array",
            "minItems": 1,
            "maxItems": MAX_INPUTS,
            "items": {"anyOf": [_TEXT, {"type": "array", "minItems": 2, "maxItems": 2, "items": _TEXT}]},
        },
    ]
}
Documents = Annotated[tuple[str, ...], PlainValidator(_documents), WithJsonSchema(_DOCUMENTS_SCHEMA)]
Inputs = Annotated[tuple[str | Pair, ...], PlainValidator(_inputs), WithJsonSchema(_INPUTS_SCHEMA)]


class OneShotMembers(WireModel):
    """What every request to a one-shot model may say."""

    model: str | None = Field(
        None, max_length=256, description="Model name, alias or name@version; none is the default."
    )
    timeout_seconds: float | None = Field(None, gt=0, le=86400, description="Deadline; 504 when it passes.")
    priority: int | None = Field(None, ge=-100, le=100, description="Higher is served first; none is 0.")


class RerankRequest(OneShotMembers):
    """``POST /v1/rerank``."""

    query: str = Field(min_length=1, description="What the documents should be about.")
    documents: Documents = Field(description="Texts, or objects with a `text`; at most 2048.")
    top_n: int | None = Field(None, ge=1, description="Only that many of the best; none is all.")
    return_documents: bool | None = Field(None, description="Whether results repeat their document; none is no.")
    raw_scores: bool | None = Field(
        None, description="The model's own numbers, instead of their sigmoid between 0 and 1."
    )


class ClassifyRequest(OneShotMembers):
    """``POST /v1/classify``."""

    input: Inputs = Field(description="A text, or texts and pairs of texts that are read together; at most 2048.")


class Document(msgspec.Struct, frozen=True):
    """A document as it was given."""

    text: str


class Ranked(msgspec.Struct, frozen=True, omit_defaults=True):
    """One document: its place in the request, and how relevant it is."""

    index: int
    relevance_score: float
    document: Document | None = None


class TaskUsage(msgspec.Struct, frozen=True):
    """Tokens of all inputs; a pair's are those of both its texts."""

    prompt_tokens: int
    total_tokens: int


class RerankAnswer(msgspec.Struct, frozen=True):
    """Answer to ``POST /v1/rerank``: the most relevant document first, equals in the order of the request."""

    id: str
    model: str
    results: list[Ranked]
    usage: TaskUsage


class LabelledInput(msgspec.Struct, frozen=True):
    """One input: its likeliest label, and the probability of each in the order of ``labels``."""

    index: int
    label: str
    probs: list[float]
    num_classes: int


class ClassifyAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/classify``. With ``multi_label`` each probability stands for itself, else they sum to 1."""

    id: str
    object: Literal["list"] = "list"
    created: int
    model: str
    labels: list[str]
    multi_label: bool
    data: list[LabelledInput]
    usage: TaskUsage
