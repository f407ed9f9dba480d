"""Requests and answers of Hugging Face's text-embeddings-inference.

Members that would change an answer in a way that is not possible here are declared, so that they can be refused by
name: see ``refuse`` in ``podium.api.hugging_face.address``.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema

from podium.protocols.tasks import MAX_INPUTS
from podium.protocols.text_tasks import Texts
from podium.protocols.wire import WireModel


class HfEmbedRequest(WireModel):
    """``POST …/embed``."""

    inputs: Texts = Field(description="A text, or texts; at most 2048.")
    normalize: bool | None = Field(None, description="Only true: vectors have length 1.")
    dimensions: int | None = Field(None, ge=1, description="Only the first so many, of models that allow it.")
    truncate: bool | None = Field(None, description="Nothing is ever cut: an input that is too long is an error.")
    truncation_direction: str | None = Field(None, max_length=16, description="As `truncate`.")
    prompt_name: str | None = Field(None, max_length=256, description="Refused: put the prompt before the text.")
    encoding_format: str | None = Field(None, max_length=16, description="Only `float`.")


class HfSentences(WireModel):
    """One text, and those that it is compared with."""

    source_sentence: str = Field(min_length=1)
    sentences: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_INPUTS - 1)]


class HfSimilarityRequest(WireModel):
    """``POST …/similarity``."""

    inputs: HfSentences


class HfRerankRequest(WireModel):
    """``POST …/rerank``."""

    query: str = Field(min_length=1)
    texts: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1, max_length=MAX_INPUTS)]
    raw_scores: bool | None = Field(None, description="The model's own numbers, instead of their sigmoid.")
    return_text: bool | None = Field(None, description="Whether results repeat their text.")
    truncate: bool | None = Field(None, description="Nothing is ever cut: an input that is too long is an error.")
    truncation_direction: str | None = Field(None, max_length=16, description="As `truncate`.")


class PredictInputs(msgspec.Struct, frozen=True):
    """Texts and pairs of texts; ``single``: one was given, not a list of them."""

    inputs: tuple[str | tuple[str, str], ...]
    single: bool


def _predict_inputs(value: Any) -> PredictInputs:
    """A text; a pair of texts; or a list, each item of which is a list of a text or of a pair of texts."""
    if isinstance(value, str):
        return PredictInputs((_sequence([value]),), single=True)
    if type(value) is not list or not value:
        raise ValueError("must be a string, a pair of strings, or a list of lists of one or two strings")
    if isinstance(value[0], str):
        return PredictInputs((_sequence(value),), single=True)
    return PredictInputs(tuple(map(_sequence, value)), single=False)


def _sequence(value: Any) -> str | tuple[str, str]:
    if type(value) is list and len(value) in (1, 2) and all(isinstance(text, str) and text for text in value):
        return value[0] if len(value) == 1 else (value[0], value[1])
    raise ValueError("must hold one or two strings that are not empty, or lists of them")


_TEXT = {"type": "string", "minLength": 1}
_SEQUENCE = {"type": "array", "minItems": 1, "maxItems": 2, "items": _TEXT}
_PREDICT_SCHEMA = {
    "anyOf": [_TEXT, _SEQUENCE, {"type": "array", "minItems": 1, "maxItems": MAX_INPUTS, "items": _SEQUENCE}]
}


class HfPredictRequest(WireModel):
    """``POST …/predict``."""

    inputs: Annotated[PredictInputs, PlainValidator(_predict_inputs), WithJsonSchema(_PREDICT_SCHEMA)]
    raw_scores: bool | None = Field(None, description="The model's own numbers, instead of probabilities.")
    truncate: bool | None = Field(None, description="Nothing is ever cut: an input that is too long is an error.")
    truncation_direction: str | None = Field(None, max_length=16, description="As `truncate`.")


class HfRank(msgspec.Struct, frozen=True, omit_defaults=True):
    """How relevant a text is."""

    index: int
    score: float
    text: str | None = None


class HfPrediction(msgspec.Struct, frozen=True):
    """How likely a label is."""

    score: float
    label: str
