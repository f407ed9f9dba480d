"""Requests and answers of Podium's own dialect."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema

from podium.core.generation import Usage
from podium.protocols.sampling import Count, SamplingMembers
from podium.protocols.wire import WireModel


class NativeMembers(SamplingMembers):
    """What ``/generate`` and ``/batch_generate`` share."""

    model: str | None = Field(
        None, max_length=256, description="Model name, alias or name@version; none is the default."
    )
    max_new_tokens: Count = Field(50, description="Most new tokens.")
    temperature: float | None = Field(1.0, ge=0, le=2, description="0 is greedy.")
    top_p: float | None = Field(0.9, gt=0, le=1, description="Nucleus; 1 is off.")
    do_sample: bool = Field(True, description="False is greedy, whatever the temperature.")
    return_full_text: bool = Field(False, description="Put the prompt before the new text in `generated_text`.")
    logprobs: int | None = Field(None, ge=0, le=1024, description="That many alternatives for each token.")


class GenerateRequest(NativeMembers):
    """``POST /generate``."""

    prompt: str = Field(description="The text to continue.")
    stream: bool = Field(False, description="Answer with server-sent events.")


def _texts(value: Any) -> tuple[str, ...]:
    if type(value) is not list or not value or set(map(type, value)) != {str}:
        raise ValueError("must be a list of at least one string")
    return tuple(value)


_TEXTS_SCHEMA = {"type": "array", "items": {"type": "string"}, "minItems": 1}


class BatchGenerateRequest(NativeMembers):
    """``POST /batch_generate``."""

    prompts: Annotated[tuple[str, ...], PlainValidator(_texts), WithJsonSchema(_TEXTS_SCHEMA)] = Field(
        description="The texts to continue, each on its own."
    )


class LoadRequest(WireModel):
    """``POST /models/{name}/load``; the body may be absent."""

    model_path: str | None = Field(
        None,
        min_length=1,
        max_length=4096,
        description="Folder under server.model_roots, or hub id, of a name or version not known yet; none loads "
        "what the configuration has. Also taken from the query.",
    )
    activate: bool = Field(True, description="Let the plain name mean this version from now on.")


class UnloadRequest(WireModel):
    """``POST /models/{name}/unload``; the body may be absent."""


class UsageBody(msgspec.Struct, frozen=True):
    """Tokens of one call."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None

    @classmethod
    def of(cls, usage: Usage) -> UsageBody:
        """The wire form of ``usage``."""
        return cls(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, usage.cached_tokens)


class TopToken(msgspec.Struct, frozen=True):
    """One alternative of a token."""

    token_id: int
    token: str
    logprob: float


class TokenBody(msgspec.Struct, frozen=True):
    """A token with its natural log probability; null is the first prompt token."""

    token_id: int
    token: str
    logprob: float | None
    top: list[TopToken] = []


class ChoiceBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of several answers (``n`` above 1), or one with log probabilities."""

    index: int
    generated_text: str
    finish_reason: str
    output_length: int
    stop_reason: str | int | None = None
    logprobs: list[TokenBody] | None = None


class GenerateAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer to ``POST /generate``. Lengths are in tokens; ``output_length`` counts new tokens only."""

    generated_text: str
    input_length: int
    output_length: int
    model: str
    cached: bool
    processing_time: float
    finish_reason: str
    usage: UsageBody
    stop_reason: str | int | None = None
    logprobs: list[TokenBody] | None = None
    choices: list[ChoiceBody] | None = None


class BatchItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One prompt's answer, or its error."""

    prompt: str
    generated_text: str | None = None
    input_length: int | None = None
    output_length: int | None = None
    finish_reason: str | None = None
    logprobs: list[TokenBody] | None = None
    choices: list[ChoiceBody] | None = None
    error: ErrorBody | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """Answer to ``POST /batch_generate``; ``results`` are in the order of the prompts."""

    model: str
    results: list[BatchItem]
    batch_size: int
    processing_time: float
    usage: UsageBody


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong; ``retryable`` says whether the same request may succeed later."""

    code: str
    message: str
    param: str | None
    request_id: str
    retryable: bool


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error on native routes, and the error event of a stream."""

    error: ErrorBody


class ModelProgress(msgspec.Struct, frozen=True):
    """How far loading is; ``ratio`` -1 is unknown."""

    stage: str
    ratio: float


class ModelBody(msgspec.Struct, frozen=True):
    """One version of one model. ``active``: the plain name means this version."""

    name: str
    version: str
    aliases: list[str]
    state: str
    task: str | None
    engine: str | None
    path: str
    loaded_at: float | None
    request_count: int
    max_model_len: int | None
    memory_bytes: int | None
    default: bool
    progress: ModelProgress | None
    error: str | None
    active: bool = True


class ModelsAnswer(msgspec.Struct, frozen=True):
    """Answer to ``GET /models``; keyed by name, or name@version where a name has several."""

    models: dict[str, ModelBody]
    total_models: int


class LoadAnswer(msgspec.Struct, frozen=True):
    """Answer to ``POST /models/{name}/load``."""

    message: str
    model: str
    version: str
    load_seconds: float
    memory_bytes: int | None


class MemoryBody(msgspec.Struct, frozen=True):
    """Measured memory before loading, while loaded, and after unloading."""

    before_bytes: int | None
    loaded_bytes: int | None
    after_bytes: int | None


class UnloadAnswer(msgspec.Struct, frozen=True):
    """Answer to ``POST /models/{name}/unload``."""

    message: str
    model: str
    version: str
    memory: MemoryBody


class HealthAnswer(msgspec.Struct, frozen=True):
    """Answer to ``GET /health``; ``uptime`` in seconds."""

    status: str
    models_loaded: list[str]
    uptime: float
    system_info: dict[str, Any]
    reasons: list[str]


class VersionAnswer(msgspec.Struct, frozen=True):
    """Answer to ``GET /version``."""

    version: str
