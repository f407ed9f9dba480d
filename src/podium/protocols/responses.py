"""Requests and answers of OpenAI's Responses API, as far as text and functions go."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field, PlainValidator, WithJsonSchema

from podium.core.generation import Usage
from podium.protocols.openai_answers import CachedTokens, ReasoningTokens
from podium.protocols.sampling import Count, SamplingMembers
from podium.protocols.tools import MAX_TOOLS, ToolName
from podium.protocols.wire import WireModel

MAX_ITEMS = 4096
_PARTS = frozenset({"input_text", "output_text", "text"})
_TEXT_PARTS_ONLY = "must be a string or a list of text parts: this server takes text only"


def _content(value: Any) -> str:
    if isinstance(value, str):
        return value
    if type(value) is not list:
        raise ValueError(_TEXT_PARTS_ONLY)
    return "\n".join(map(_part, value))


def _part(part: Any) -> str:
    if type(part) is not dict or part.get("type") not in _PARTS or not isinstance(part.get("text"), str):
        raise ValueError(_TEXT_PARTS_ONLY)
    text: str = part["text"]
    return text


_PART_SCHEMA = {
    "type": "object",
    "required": ["type", "text"],
    "properties": {"type": {"enum": sorted(_PARTS)}, "text": {"type": "string"}},
}
_CONTENT_SCHEMA = {"anyOf": [{"type": "string"}, {"type": "array", "items": _PART_SCHEMA}]}
PartContent = Annotated[str, PlainValidator(_content), WithJsonSchema(_CONTENT_SCHEMA)]


class MessageItem(WireModel):
    """A turn."""

    type: Literal["message"] = "message"
    role: Literal["system", "developer", "user", "assistant"]
    content: PartContent


class FunctionCallItem(WireModel):
    """A call that the model made before."""

    type: Literal["function_call"]
    call_id: str = Field(min_length=1, max_length=256)
    name: str = Field(min_length=1, max_length=256)
    arguments: str = Field(description="A JSON object, as text.")


class FunctionOutputItem(WireModel):
    """What a call gave."""

    type: Literal["function_call_output"]
    call_id: str = Field(min_length=1, max_length=256)
    output: PartContent


InputItem = FunctionCallItem | FunctionOutputItem | MessageItem
Items = Annotated[list[InputItem], Field(fail_fast=True, min_length=1, max_length=MAX_ITEMS)]


class FlatFunctionTool(WireModel):
    """A function that the model may call; other types of tools are run by OpenAI's servers."""

    type: Literal["function"]
    name: ToolName
    description: str | None = None
    parameters: dict[str, Any] | None = None
    strict: bool | None = Field(None, description="Held to when `tool_choice` forces the call, and only then.")


class FlatToolChoice(WireModel):
    """The function that must be called."""

    type: Literal["function"]
    name: ToolName


class TextFormat(WireModel):
    """``text`` is free, ``json_object`` any JSON object, ``json_schema`` what the schema allows."""

    type: Literal["text", "json_object", "json_schema"]
    name: str | None = None
    schema_: dict[str, Any] | None = Field(None, alias="schema", description="The JSON schema.")
    strict: bool | None = None


class TextSettings(WireModel):
    """How the text is written."""

    format: TextFormat | None = None
    verbosity: str | None = Field(None, max_length=16, description="Refused.")


class ResponsesRequest(SamplingMembers):
    """``POST /v1/responses``."""

    model: str | None = Field(
        None, max_length=256, description="Model name, alias or name@version; none is the default."
    )
    input: Annotated[str, Field(min_length=1)] | Items = Field(description="Text, or items of a conversation.")
    instructions: str | None = Field(None, description="What the model should know before the input.")
    max_output_tokens: Count | None = Field(None, description="Most new tokens.")
    stream: bool | None = Field(None, description="Answer with typed server-sent events.")
    text: TextSettings | None = None
    tools: list[FlatFunctionTool] | None = Field(None, max_length=MAX_TOOLS)
    tool_choice: Literal["none", "auto", "required"] | FlatToolChoice | None = None
    parallel_tool_calls: bool | None = Field(None, description="False: the answer ends with its first call.")
    store: bool | None = Field(None, description="Nothing is stored: the answer says `store: false`.")
    previous_response_id: str | None = Field(None, description="Refused: send the conversation as `input`.")
    conversation: Any = Field(None, description="Refused.")
    prompt: Any = Field(None, description="Refused.")
    background: bool | None = Field(None, description="Refused unless it is false.")
    reasoning: dict[str, Any] | None = Field(None, description="Refused unless its `effort` is none.")
    truncation: Literal["auto", "disabled"] | None = Field(None, description="Nothing is cut: `auto` is refused.")
    include: list[str] | None = Field(None, max_length=16, description="Refused unless empty.")
    top_logprobs: int | None = Field(None, ge=0, le=20, description="Refused unless it is 0.")
    metadata: dict[str, str] | None = Field(None, max_length=16, description="Repeated in the answer.")
    user: str | None = Field(None, description="Accepted for compatibility; has no effect.")


class ResponseUsage(msgspec.Struct, frozen=True):
    """Tokens of one response."""

    input_tokens: int
    output_tokens: int
    total_tokens: int
    input_tokens_details: CachedTokens
    output_tokens_details: ReasoningTokens = ReasoningTokens()

    @classmethod
    def of(cls, usage: Usage) -> ResponseUsage:
        """The wire form of ``usage``."""
        cached = CachedTokens(usage.cached_tokens or 0)
        return cls(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, cached)


class ResponseError(msgspec.Struct, frozen=True):
    """Why a response failed."""

    code: str
    message: str


class ResponseObject(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/responses``, and in a stream's first and last events."""

    id: str
    object: Literal["response"] = "response"
    created_at: int
    status: str
    model: str
    output: list[dict[str, Any]] = []
    usage: ResponseUsage | None = None
    error: ResponseError | None = None
    incomplete_details: dict[str, str] | None = None
    instructions: str | None = None
    max_output_tokens: int | None = None
    metadata: dict[str, str] = {}
    parallel_tool_calls: bool = True
    previous_response_id: None = None
    store: bool = False
    temperature: float | None = None
    top_p: float | None = None
    text: dict[str, Any] = {}
    tool_choice: str | dict[str, str] = "auto"
    tools: list[dict[str, Any]] = []
    truncation: Literal["disabled"] = "disabled"
