"""Requests of the OpenAI dialect, and of the tokenization routes that serving engines add to it."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema

from podium.protocols.sampling import Count, SamplingMembers
from podium.protocols.tools import ToolCallGiven, ToolChoiceMember, Tools
from podium.protocols.wire import WireModel, token_ids

MAX_MESSAGES = 4096
PromptInput = str | tuple[int, ...]
_TEXT_PARTS_ONLY = "must be a string or a list of text parts: this server takes text only"


def _text_of_parts(parts: list[Any]) -> str:
    texts: list[str] = []
    for part in parts:
        if type(part) is not dict or part.get("type") != "text" or not isinstance(part.get("text"), str):
            raise ValueError(_TEXT_PARTS_ONLY)
        texts.append(part["text"])
    return "\n".join(texts)


def _content(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if type(value) is not list:
        raise ValueError(_TEXT_PARTS_ONLY)
    return _text_of_parts(value)


_CONTENT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "array",
            "items": {
                "type": "object",
                "required": ["type", "text"],
                "properties": {"type": {"const": "text"}, "text": {"type": "string"}},
            },
        },
        {"type": "null"},
    ]
}
Content = Annotated[str | None, PlainValidator(_content), WithJsonSchema(_CONTENT_SCHEMA)]


class ChatMessage(WireModel):
    """One message. Members that are not declared reach the model's chat template."""

    model_config = ConfigDict(extra="allow")

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: Content = Field(None, description="Text, or a list of text parts (joined by line breaks).")
    name: str | None = None
    tool_calls: list[ToolCallGiven] | None = Field(None, description="What the assistant called.")
    tool_call_id: str | None = Field(None, description="Which of those calls a tool's message answers.")


Messages = Annotated[list[ChatMessage], Field(fail_fast=True, min_length=1, max_length=MAX_MESSAGES)]


class StreamOptions(WireModel):
    """What a stream carries besides the text."""

    include_usage: bool | None = Field(None, description="End with a chunk that holds the usage.")
    continuous_usage_stats: bool | None = Field(None, description="Running usage in every chunk.")


class JsonSchemaFormat(WireModel):
    """The schema of ``response_format``."""

    name: str | None = None
    schema_: dict[str, Any] = Field(alias="schema", description="The JSON schema.")
    strict: bool | None = None


class ResponseFormat(WireModel):
    """``text`` is free, ``json_object`` any JSON object, ``json_schema`` what the schema allows."""

    type: Literal["text", "json_object", "json_schema"]
    json_schema: JsonSchemaFormat | None = None


class OpenAIMembers(SamplingMembers):
    """What chat and plain completions share."""

    model: str | None = Field(
        None, max_length=256, description="Model name, alias or name@version; none is the default."
    )
    max_tokens: Count | None = Field(None, description="Most new tokens.")
    stream: bool | None = Field(None, description="Answer with server-sent events.")
    stream_options: StreamOptions | None = None
    response_format: ResponseFormat | None = None
    user: str | None = Field(None, description="Accepted for compatibility; has no effect.")
    metadata: dict[str, Any] | None = Field(None, description="Accepted for compatibility; has no effect.")


class ChatCompletionRequest(OpenAIMembers):
    """``POST /v1/chat/completions``."""

    messages: Messages
    max_completion_tokens: Count | None = Field(None, description="Newer name of `max_tokens`; it wins.")
    logprobs: bool | None = Field(None, description="Return log probabilities.")
    top_logprobs: int | None = Field(None, ge=0, le=1024, description="That many alternatives for each token.")
    tools: Tools | None = Field(None, description="Functions that the model may call.")
    tool_choice: ToolChoiceMember | None = Field(
        None,
        description="`auto` (none is that): the model calls or answers. `none`: it sees no tools. `required`: it calls "
        "one or more. An object: it calls that function, once.",
    )
    parallel_tool_calls: bool | None = Field(None, description="False: the answer ends with its first call.")


def _prompts(value: Any) -> tuple[PromptInput, ...]:
    """The four forms of ``prompt``, as a tuple of texts and token id tuples."""
    if isinstance(value, str):
        return (value,)
    if type(value) is not list or not value:
        raise ValueError("must be a string, a list of strings, a list of token ids or a list of such lists")
    kinds = set(map(type, value))
    if kinds == {int}:
        return (token_ids(value),)
    if kinds == {str}:
        return tuple(value)
    if kinds == {list}:
        return tuple(token_ids(item) for item in value)
    raise ValueError("must hold only strings, only token ids, or only lists of token ids")


_PROMPT_SCHEMA = {
    "anyOf": [
        {"type": "string"},
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "items": {"type": "integer"}},
        {"type": "array", "items": {"type": "array", "items": {"type": "integer"}}},
    ]
}
Prompts = Annotated[tuple[PromptInput, ...], PlainValidator(_prompts), WithJsonSchema(_PROMPT_SCHEMA)]


class CompletionRequest(OpenAIMembers):
    """``POST /v1/completions``."""

    prompt: Prompts = Field(description="Text, texts, token ids, or lists of token ids.")
    echo: bool | None = Field(None, description="Put the prompt before the answer.")
    logprobs: int | None = Field(None, ge=0, le=1024, description="That many alternatives for each token.")
    best_of: Count | None = Field(None, description="Only the value of `n` is accepted.")
    suffix: str | None = Field(None, description="Refused: the models complete, they do not fill in.")


class EmbeddingsRequest(WireModel):
    """``POST /v1/embeddings``."""

    input: Prompts = Field(description="Text, texts, token ids, or lists of token ids; at most 2048.")
    model: str | None = Field(
        None, max_length=256, description="Model name, alias or name@version; none is the default."
    )
    encoding_format: Literal["float", "base64"] | None = Field(
        None, description="Numbers, or base64 of float32 in little endian; none is `float`."
    )
    dimensions: int | None = Field(
        None, ge=1, le=65536, description="Fewer numbers, where the model may be cut; refused where it may not."
    )
    user: str | None = Field(None, description="Accepted for compatibility; has no effect.")
    timeout_seconds: float | None = Field(None, gt=0, le=86400, description="Deadline; 504 when it passes.")
    priority: int | None = Field(None, ge=-100, le=100, description="Higher is served first; none is 0.")


TokenIds = Annotated[
    tuple[int, ...],
    PlainValidator(token_ids),
    WithJsonSchema({"type": "array", "items": {"type": "integer", "minimum": 0}}),
]


class TokenizeRequest(WireModel):
    """``POST /tokenize``: a prompt, or messages."""

    model: str | None = Field(None, max_length=256)
    prompt: str | None = None
    messages: Messages | None = None
    tools: Tools | None = None
    add_special_tokens: bool | None = Field(None, description="None is true for a prompt, false for messages.")
    add_generation_prompt: bool | None = Field(None, description="Messages only; none is true.")
    return_token_strs: bool | None = Field(None, description="Also return the tokens' texts.")


class DetokenizeRequest(WireModel):
    """``POST /detokenize``."""

    model: str | None = Field(None, max_length=256)
    tokens: TokenIds
