"""Answers of the OpenAI dialect. Encoded with msgspec; the field order is the wire order."""

from __future__ import annotations

from typing import Literal

import msgspec

from podium.core.generation import Usage


class CachedTokens(msgspec.Struct, frozen=True):
    """Prompt tokens that came from the prefix cache."""

    cached_tokens: int = 0


class ReasoningTokens(msgspec.Struct, frozen=True):
    """Always 0: reasoning is not told apart from the answer."""

    reasoning_tokens: int = 0


class UsageBody(msgspec.Struct, frozen=True):
    """Tokens of one call; no details of the prompt where the engine does not tell what it had cached."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: CachedTokens | None = None
    completion_tokens_details: ReasoningTokens = ReasoningTokens()

    @classmethod
    def of(cls, usage: Usage) -> UsageBody:
        """The wire form of ``usage``."""
        cached = None if usage.cached_tokens is None else CachedTokens(usage.cached_tokens)
        return cls(usage.prompt_tokens, usage.completion_tokens, usage.total_tokens, cached)


class TopLogprob(msgspec.Struct, frozen=True):
    """One alternative of a token."""

    token: str
    logprob: float
    bytes: list[int]


class ChatTokenLogprob(msgspec.Struct, frozen=True):
    """The chosen token and its alternatives."""

    token: str
    logprob: float
    bytes: list[int]
    top_logprobs: list[TopLogprob] = []


class ChatLogprobs(msgspec.Struct, frozen=True):
    """Log probabilities of a chat choice."""

    content: list[ChatTokenLogprob]
    refusal: None = None


class FunctionCall(msgspec.Struct, frozen=True):
    """Which function with which arguments: a JSON object as text, as the model wrote it."""

    name: str
    arguments: str


class ToolCall(msgspec.Struct, frozen=True, kw_only=True):
    """A call that the client is to make."""

    id: str
    type: Literal["function"] = "function"
    function: FunctionCall


class AssistantMessage(msgspec.Struct, frozen=True, kw_only=True):
    """The answer's message; ``content`` is null where there is nothing but calls."""

    role: Literal["assistant"] = "assistant"
    content: str | None
    refusal: None = None
    tool_calls: list[ToolCall] | msgspec.UnsetType = msgspec.UNSET


class ChatChoice(msgspec.Struct, frozen=True):
    """One answer."""

    index: int
    message: AssistantMessage
    finish_reason: str
    logprobs: ChatLogprobs | None = None
    stop_reason: str | int | None = None


class ChatCompletion(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/chat/completions``."""

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    choices: list[ChatChoice]
    usage: UsageBody


class LegacyLogprobs(msgspec.Struct, frozen=True):
    """Log probabilities of a plain completion; the four lists run parallel."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class CompletionChoice(msgspec.Struct, frozen=True):
    """One answer; with p prompts and n answers, ``index`` is prompt * n + answer."""

    text: str
    index: int
    finish_reason: str
    logprobs: LegacyLogprobs | None = None
    stop_reason: str | int | None = None


class Completion(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/completions``."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    choices: list[CompletionChoice]
    usage: UsageBody


class EmbeddingUsage(msgspec.Struct, frozen=True):
    """Tokens of one call; nothing is generated."""

    prompt_tokens: int
    total_tokens: int


class Embedding(msgspec.Struct, frozen=True):
    """The vector of one input, as numbers or as base64 of float32 in little endian."""

    index: int
    embedding: list[float] | str
    object: Literal["embedding"] = "embedding"


class EmbeddingList(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``POST /v1/embeddings``, in the order of the inputs."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """One served model."""

    id: str
    object: Literal["model"] = "model"
    created: int
    root: str
    max_model_len: int | None
    owned_by: str = "podium"


class ModelList(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to ``GET /v1/models``."""

    object: Literal["list"] = "list"
    data: list[ModelCard]


class TokenizeAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Answer to ``POST /tokenize``."""

    count: int
    max_model_len: int
    tokens: list[int]
    token_strs: list[str] | None = None


class DetokenizeAnswer(msgspec.Struct, frozen=True):
    """Answer to ``POST /detokenize``."""

    prompt: str


class TokenizerInfo(msgspec.Struct, frozen=True):
    """Answer to ``GET /tokenizer_info``."""

    vocab_size: int
    eos_token: str | None
    bos_token: str | None
    pad_token: str | None
    chat_template: str | None


class ErrorBody(msgspec.Struct, frozen=True):
    """What went wrong; ``param`` names the member at fault."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorAnswer(msgspec.Struct, frozen=True):
    """Every error on ``/v1/*``, and the error event of a stream."""

    error: ErrorBody
