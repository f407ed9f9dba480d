"""Requests and answers of Ollama's API, as far as text, tools and embeddings go. Durations are in nanoseconds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from podium.protocols.sampling import Stops
from podium.protocols.tools import Tools
from podium.protocols.wire import WireModel

MAX_MESSAGES = 4096
ModelName = Annotated[str, Field(min_length=1, max_length=256)]


class OllamaOptions(WireModel):
    """Sampling. What is not here and cannot change an answer (`num_ctx`, `num_gpu`, `num_thread`, …) is ignored."""

    num_predict: int | None = Field(None, ge=-2, le=2**31 - 1, description="Most new tokens; -1 and -2: no limit.")
    temperature: float | None = Field(None, ge=0, le=2, description="0 is greedy; none is 1.")
    top_k: int | None = Field(None, ge=0, le=2**31 - 1, description="Most likely k; 0 is off.")
    top_p: float | None = Field(None, gt=0, le=1, description="Nucleus; 1 is off.")
    min_p: float | None = Field(None, ge=0, le=1, description="Least share of the top probability; 0 is off.")
    seed: int | None = Field(None, description="Same seed, same answer.")
    stop: Stops = Field((), description="Strings that end the output.")
    repeat_penalty: float | None = Field(None, gt=0, le=10, description="1 is off.")
    presence_penalty: float | None = Field(None, ge=-2, le=2, description="0 is off.")
    frequency_penalty: float | None = Field(None, ge=-2, le=2, description="0 is off.")
    mirostat: int | None = Field(None, description="Refused unless it is 0.")
    typical_p: float | None = Field(None, description="Refused unless it is 1.")
    tfs_z: float | None = Field(None, description="Refused unless it is 1.")
    repeat_last_n: int | None = Field(None, description="Refused unless it is -1: penalties look at everything.")


class _Members(WireModel):
    model: ModelName = Field(description="Model name, alias or name@version; an added `:latest` is taken off.")
    options: OllamaOptions | None = None
    keep_alive: float | str | None = Field(None, description="Accepted; models stay as the configuration says.")


class _GeneratingMembers(_Members):
    stream: bool | None = Field(None, description="Lines of JSON as they come; none is yes.")
    format: Literal["json", ""] | dict[str, Any] | None = Field(None, description="`json`, or a JSON schema.")
    think: bool | Literal["low", "medium", "high"] | None = Field(None, description="Refused unless it is false.")
    logprobs: bool | None = Field(None, description="Refused unless it is false.")


class OllamaGenerateRequest(_GeneratingMembers):
    """``POST /api/generate``."""

    prompt: str = Field("", description="The text; empty asks whether the model is loaded.")
    system: str | None = Field(None, description="What the model should know before.")
    raw: bool | None = Field(None, description="Without the model's chat template.")
    suffix: str | None = Field(None, description="Refused: no model here fills in.")
    images: list[Any] | None = Field(None, description="Refused unless it is empty.")
    template: str | None = Field(None, description="Refused: a model's template is configured.")
    context: list[int] | None = Field(None, description="Refused unless it is empty: send messages to /api/chat.")


class OllamaFunctionGiven(WireModel):
    """The function of a call that was made before."""

    name: str = Field(min_length=1, max_length=256)
    arguments: dict[str, Any] = Field({}, description="An object, not its text.")


class OllamaCallGiven(WireModel):
    """A call that the model made before."""

    function: OllamaFunctionGiven


class OllamaMessage(WireModel):
    """One turn."""

    role: Literal["system", "user", "assistant", "tool"]
    content: str = ""
    images: list[Any] | None = Field(None, description="Refused unless it is empty.")
    tool_calls: list[OllamaCallGiven] | None = Field(None, description="What the assistant called.")
    tool_name: str | None = Field(None, description="Which tool a message of the role `tool` is from.")


class OllamaChatRequest(_GeneratingMembers):
    """``POST /api/chat``."""

    messages: Annotated[list[OllamaMessage], Field(fail_fast=True, max_length=MAX_MESSAGES)] = Field(
        [], description="The turns; none asks whether the model is loaded."
    )
    tools: Tools | None = Field(None, description="Functions that the model may call.")


class OllamaEmbedRequest(_Members):
    """``POST /api/embed``."""

    input: str | list[str] = Field(description="A text, or texts; at most 2048.")
    dimensions: int | None = Field(None, ge=1, le=65536, description="Fewer numbers, where the model may be cut.")
    truncate: bool | None = Field(None, description="Nothing is ever cut: an input that is too long is an error.")


class OllamaShowRequest(WireModel):
    """``POST /api/show``."""

    model: ModelName


class OllamaFunctionCall(msgspec.Struct, frozen=True):
    """Which function with which arguments."""

    name: str
    arguments: dict[str, Any]


class OllamaToolCall(msgspec.Struct, frozen=True):
    """A call that the client is to make."""

    function: OllamaFunctionCall


class OllamaAnswerMessage(msgspec.Struct, frozen=True):
    """A piece of an answer of ``/api/chat``."""

    content: str
    role: Literal["assistant"] = "assistant"
    tool_calls: list[OllamaToolCall] | msgspec.UnsetType = msgspec.UNSET


class OllamaLine(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A line of ``/api/generate`` (with ``response``) or ``/api/chat`` (with ``message``); the last has the counts."""

    model: str
    created_at: str
    response: str | msgspec.UnsetType = msgspec.UNSET
    message: OllamaAnswerMessage | msgspec.UnsetType = msgspec.UNSET
    done: bool | msgspec.UnsetType = msgspec.UNSET
    done_reason: str | None = None
    total_duration: int | None = None
    load_duration: int | None = None
    prompt_eval_count: int | None = None
    prompt_eval_duration: int | None = None
    eval_count: int | None = None
    eval_duration: int | None = None


class OllamaEmbedding(msgspec.Struct, frozen=True):
    """Answer to ``POST /api/embed``."""

    model: str
    embeddings: list[list[float]]
    total_duration: int
    load_duration: int
    prompt_eval_count: int


class OllamaDetails(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is known of a model's kind."""

    format: str | None = None
    family: str | None = None


class OllamaListed(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One model. ``size`` is its memory in bytes, where it is loaded."""

    name: str
    model: str
    modified_at: str
    size: int | None = None
    details: OllamaDetails


class OllamaModels(msgspec.Struct, frozen=True):
    """Answer to ``GET /api/tags`` (all models) and ``GET /api/ps`` (those that are loaded)."""

    models: list[OllamaListed]


class OllamaModel(msgspec.Struct, frozen=True):
    """Answer to ``POST /api/show``."""

    details: OllamaDetails
    model_info: dict[str, int | str]
    capabilities: list[str]
    modified_at: str


class OllamaVersion(msgspec.Struct, frozen=True):
    """Answer to ``GET /api/version``."""

    version: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error on ``/api/*``, and the last line of a stream that broke."""

    error: str
