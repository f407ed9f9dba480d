"""Requests and answers of Anthropic's Messages API, as far as text goes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema

from podium.protocols.sampling import Count
from podium.protocols.wire import WireModel

MAX_MESSAGES = 4096
MAX_STOPS = 64
MAX_STOP_CHARACTERS = 1024
_TEXT_ONLY = "must be a string or a list of text blocks: this server takes text only"


def _content(value: Any) -> str:
    """A string, or the texts of blocks one after the other."""
    if isinstance(value, str):
        return value
    if type(value) is not list:
        raise ValueError(_TEXT_ONLY)
    return "".join(map(_block_text, value))


def _block_text(block: Any) -> str:
    if type(block) is not dict or block.get("type") != "text" or not isinstance(block.get("text"), str):
        raise ValueError(_TEXT_ONLY)
    text: str = block["text"]
    return text


_BLOCK_SCHEMA = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
}
_CONTENT_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": _BLOCK_SCHEMA}]}
Content = Annotated[str, PlainValidator(_content), WithJsonSchema(_CONTENT_SCHEMA)]


class InputMessage(WireModel):
    """One turn."""

    role: Literal["user", "assistant"]
    content: Content = Field(description="Text, or a list of text blocks.")


class CountTokensRequest(WireModel):
    """``POST /v1/messages/count_tokens``."""

    model: str | None = Field(
        None, max_length=256, description="Model name, alias or name@version; none is the default."
    )
    messages: Annotated[list[InputMessage], Field(fail_fast=True, min_length=1, max_length=MAX_MESSAGES)]
    system: Content | None = Field(None, description="What the model should know before the first turn.")
    tools: list[dict[str, Any]] | None = Field(None, description="Refused unless it is empty.")
    tool_choice: dict[str, Any] | None = Field(None, description="Only `none` may be chosen.")
    thinking: dict[str, Any] | None = Field(None, description="Refused unless its type is `disabled`.")


class MessagesRequest(CountTokensRequest):
    """``POST /v1/messages``."""

    max_tokens: Count = Field(description="Most new tokens.")
    stream: bool | None = Field(None, description="Answer with server-sent events.")
    temperature: float | None = Field(None, ge=0, le=1, description="0 is greedy; none is 1.")
    top_p: float | None = Field(None, gt=0, le=1, description="Nucleus; 1 is off.")
    top_k: int | None = Field(None, ge=0, le=2**31 - 1, description="Most likely k; 0 is off.")
    stop_sequences: list[Annotated[str, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]] | None = Field(
        None, max_length=MAX_STOPS, description="Strings that end the output; they are not part of it."
    )
    metadata: dict[str, Any] | None = Field(None, description="Accepted for compatibility; has no effect.")
    service_tier: str | None = Field(None, description="Accepted for compatibility; has no effect.")


class TextBlock(msgspec.Struct, frozen=True):
    """A piece of an answer."""

    text: str
    type: Literal["text"] = "text"


class MessageUsage(msgspec.Struct, frozen=True):
    """Tokens. ``input_tokens`` are those that were not found in the engine's prefix cache, where it tells."""

    input_tokens: int
    output_tokens: int
    cache_read_input_tokens: int = 0
    cache_creation_input_tokens: int = 0


class MessageAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/messages``."""

    id: str
    type: Literal["message"] = "message"
    role: Literal["assistant"] = "assistant"
    model: str
    content: list[TextBlock]
    stop_reason: str | None
    stop_sequence: str | None
    usage: MessageUsage


class TokenCount(msgspec.Struct, frozen=True):
    """Answer to ``POST /v1/messages/count_tokens``."""

    input_tokens: int


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong."""

    type: str
    message: str


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error on ``/v1/messages``, and the error event of a stream."""

    error: ErrorBody
    request_id: str
    type: Literal["error"] = "error"
