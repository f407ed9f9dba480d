"""Requests and answers of Hugging Face's servers: text-generation-inference, text-embeddings-inference, pipelines.

Members that would change an answer in a way that is not possible here are declared, so that they can be refused by
name: see ``podium.api.hugging_face.refusals``.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema

from podium.protocols.sampling import MAX_COUNT, MAX_SEED, Stops
from podium.protocols.tasks import MAX_INPUTS
from podium.protocols.text_tasks import MOST_TEMPLATE_CHARACTERS, Labels, Names, Texts
from podium.protocols.wire import WireModel

DEFAULT_NEW_TOKENS = 100
"""What text-generation-inference takes where ``max_new_tokens`` is left out."""


class HfGrammar(WireModel):
    """What the text must match."""

    type: Literal["json", "json_schema", "regex"]
    value: str | dict[str, Any] = Field(description="A JSON schema, or a regular expression.")


class HfParameters(WireModel):
    """``parameters`` of a generation."""

    max_new_tokens: int | None = Field(None, ge=1, le=MAX_COUNT, description="None is 100.")
    do_sample: bool | None = Field(None, description="Draw tokens; also when a member that shapes the draw is given.")
    temperature: float | None = Field(None, gt=0, le=2)
    top_k: int | None = Field(None, ge=1, le=MAX_COUNT)
    top_p: float | None = Field(None, gt=0, le=1)
    typical_p: float | None = Field(None, gt=0, le=1, description="Only 1, which is off.")
    repetition_penalty: float | None = Field(None, gt=0, le=10)
    frequency_penalty: float | None = Field(None, ge=-2, le=2)
    seed: int | None = Field(None, ge=0, le=MAX_SEED)
    stop: Stops = Field((), description="Strings that end the text; they are not part of it.")
    return_full_text: bool | None = Field(None, description="Whether the text begins with the prompt.")
    details: bool | None = Field(None, description="Tell of each token, and why the text ended.")
    top_n_tokens: int | None = Field(None, ge=0, le=MAX_COUNT, description="Likeliest tokens of each step, told too.")
    grammar: HfGrammar | None = None
    best_of: int | None = Field(None, ge=1, description="Only 1.")
    truncate: int | None = Field(None, ge=1, description="Refused: prompts are not cut.")
    watermark: bool | None = Field(None, description="Only false.")
    decoder_input_details: bool | None = Field(None, description="Only false.")
    adapter_id: str | None = Field(None, description="Refused: a model is its address.")


class HfGenerateRequest(WireModel):
    """A generation."""

    inputs: str = Field(min_length=1, description="The prompt.")
    parameters: HfParameters = Field(default_factory=HfParameters)
    stream: bool | None = Field(None, description="At the model's own address: whether the text comes as it is made.")


class HfTaskRequest(WireModel):
    """A request to a model's own address. What ``inputs`` and ``parameters`` are depends on the model's task."""

    inputs: Annotated[Any, WithJsonSchema({"description": "A text, texts, or what the model's task takes."})]
    parameters: dict[str, Any] | None = None


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


class HfClassifyParameters(WireModel):
    """``parameters`` of a text classification."""

    function_to_apply: Literal["sigmoid", "softmax", "none"] | None = Field(None, description="None is the model's.")
    top_k: int | None = Field(None, ge=1, description="Only so many of the best labels.")


class HfClassifyTask(WireModel):
    """Texts to a model that classifies."""

    inputs: Texts
    parameters: HfClassifyParameters = HfClassifyParameters()


class HfTokenParameters(WireModel):
    """``parameters`` of a token classification."""

    aggregation_strategy: Literal["none", "simple", "first", "average", "max"] = "simple"
    ignore_labels: Names = ("O",)
    stride: int | None = Field(None, description="Refused: texts are read whole.")


class HfTokenTask(WireModel):
    """Texts to a model that finds entities."""

    inputs: Texts
    parameters: HfTokenParameters = HfTokenParameters()


class HfZeroShotParameters(WireModel):
    """``parameters`` of a zero-shot classification."""

    candidate_labels: Labels
    hypothesis_template: str = Field("This example is {}.", min_length=2, max_length=MOST_TEMPLATE_CHARACTERS)
    multi_label: bool = False


class HfZeroShotTask(WireModel):
    """Texts to a model that knows whether one follows from another."""

    inputs: Texts
    parameters: HfZeroShotParameters


class HfMaskParameters(WireModel):
    """``parameters`` of a filled mask."""

    top_k: int = Field(5, ge=1, le=100)
    targets: Any = Field(None, description="Refused: all tokens compete.")


class HfMaskTask(WireModel):
    """Texts with masks."""

    inputs: Texts
    parameters: HfMaskParameters = HfMaskParameters()


class HfQuestion(WireModel):
    """A question, and the text that holds its answer."""

    question: str = Field(min_length=1)
    context: str = Field(min_length=1)


class HfQuestionParameters(WireModel):
    """``parameters`` of a question."""

    top_k: int = Field(1, ge=1, le=100)
    max_answer_len: int = Field(15, ge=1, le=512)
    handle_impossible_answer: bool = False
    max_seq_len: int | None = Field(None, ge=16)
    doc_stride: int = Field(128, ge=0)
    max_question_len: int | None = Field(None, description="Refused: questions are not cut.")
    align_to_words: bool | None = Field(None, description="Refused: answers are whole tokens.")


class HfQuestionTask(WireModel):
    """A question to a model that finds answers."""

    inputs: HfQuestion
    parameters: HfQuestionParameters = HfQuestionParameters()


class HfToken(msgspec.Struct, frozen=True):
    """A token that was generated; ``logprob`` is null and ``id`` -1 where the engine does not tell."""

    id: int
    text: str
    logprob: float | None
    special: bool


class HfDetails(msgspec.Struct, frozen=True, kw_only=True):
    """How a text came about."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    seed: int | None
    prefill: list[HfToken] = []
    tokens: list[HfToken]
    top_tokens: list[list[HfToken]] = []


class HfGenerated(msgspec.Struct, frozen=True, omit_defaults=True):
    """A whole text."""

    generated_text: str
    details: HfDetails | None = None


class HfStreamDetails(msgspec.Struct, frozen=True):
    """How a streamed text came about."""

    finish_reason: Literal["length", "eos_token", "stop_sequence"]
    generated_tokens: int
    seed: int | None
    input_length: int


class HfStreamed(msgspec.Struct, frozen=True):
    """One token of a stream; the last one has the whole text."""

    index: int
    token: HfToken
    top_tokens: list[HfToken]
    generated_text: str | None
    details: HfStreamDetails | None


class HfRank(msgspec.Struct, frozen=True, omit_defaults=True):
    """How relevant a text is."""

    index: int
    score: float
    text: str | None = None


class HfPrediction(msgspec.Struct, frozen=True):
    """How likely a label is."""

    score: float
    label: str


class HfFilled(msgspec.Struct, frozen=True):
    """A token for a mask, and the text with it."""

    score: float
    token: int
    token_str: str
    sequence: str


class HfInfo(msgspec.Struct, frozen=True, kw_only=True):
    """What a client may know of the model at an address."""

    model_id: str
    model_sha: str | None = None
    model_pipeline_tag: str | None
    model_type: dict[str, Any]
    max_input_length: int | None
    max_total_tokens: int | None
    max_best_of: int = 1
    max_stop_sequences: int
    max_client_batch_size: int
    version: str


class HfError(msgspec.Struct, frozen=True, omit_defaults=True):
    """An error; ``error_type`` where Hugging Face's clients have a class for it."""

    error: str
    error_type: Literal["validation", "generation", "overloaded"] | None = None
