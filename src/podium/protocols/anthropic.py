"""Requests and answers of Anthropic's Messages API, as far as text and tools go."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import Field

from podium.protocols.anthropic_blocks import Content, Text
from podium.protocols.sampling import Count
from podium.protocols.tools import MAX_TOOLS, ToolName
from podium.protocols.wire import WireModel

MAX_MESSAGES = 4096
MAX_STOPS = 64
MAX_STOP_CHARACTERS = 1024


class ClaudeTool(WireModel):
    """A tool that the client runs. Tools that a server runs have a ``type`` of their own and are refused."""

    name: ToolName
    description: str | None = None
    input_schema: dict[str, Any] | None = Field(None, description="JSON schema of the input; required.")
    type: str | None = Field(None, max_length=64, description="`custom`, or none; what servers run is refused.")


class ClaudeToolChoice(WireModel):
    """``auto``: call or answer. ``any``: call one or more. ``tool``: call ``name``, once. ``none``: see no tools."""

    type: Literal["auto", "any", "tool", "none"]
    name: ToolName | None = None
    disable_parallel_tool_use: bool | None = Field(None, description="True: the answer ends with its first call.")


class InputMessage(WireModel):
    """One turn."""

    role: Literal["user", "assistant"]
    content: Content = Field(
        description="Text, or a list of blocks: `text`, an assistant's `tool_use`, a user's `tool_result`."
    )


class CountTokensRequest(WireModel):
    """``POST /v1/messages/count_tokens``."""

    model: str | None = Field(
        None, max_length=256, description="Model name, alias or name@version; none is the default."
    )
    messages: Annotated[list[InputMessage], Field(fail_fast=True, min_length=1, max_length=MAX_MESSAGES)]
    system: Text | None = Field(None, description="What the model should know before the first turn.")
    tools: list[ClaudeTool] | None = Field(None, max_length=MAX_TOOLS, description="What the model may call.")
    tool_choice: ClaudeToolChoice | None = None
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


class TextBlock(msgspec.Struct, frozen=True, tag="text", tag_field="type"):
    """A piece of an answer."""

    text: str


class ToolUseBlock(msgspec.Struct, frozen=True, kw_only=True, tag="tool_use", tag_field="type"):
    """A call that the client is to make."""

    id: str
    name: str
    input: dict[str, Any]


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
    content: list[TextBlock | ToolUseBlock]
    stop_reason: str | None
    stop_sequence: str | None
    usage: MessageUsage


class ClaudeModel(msgspec.Struct, frozen=True, kw_only=True):
    """One model, as Anthropic tells it."""

    id: str
    type: Literal["model"] = "model"
    display_name: str
    created_at: str


class ClaudeModelList(msgspec.Struct, frozen=True):
    """``GET /v1/models`` for Anthropic's clients: always one page."""

    data: list[ClaudeModel]
    first_id: str | None
    last_id: str | None
    has_more: bool = False

    @classmethod
    def of(cls, models: list[ClaudeModel]) -> ClaudeModelList:
        """The page with ``models``."""
        return cls(models, models[0].id if models else None, models[-1].id if models else None)


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
