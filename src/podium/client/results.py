"""Typed answers. Members that a newer server adds are ignored."""

from __future__ import annotations

from typing import Any

import msgspec


class Usage(msgspec.Struct, frozen=True):
    """Tokens. ``cached_tokens`` of the prompt came from the engine's prefix cache; None where it does not tell."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cached_tokens: int | None = None


class Generated(msgspec.Struct, frozen=True):
    """One text. Lengths are in tokens, ``processing_time`` in seconds; ``cached``: a kept answer."""

    generated_text: str
    input_length: int
    output_length: int
    model: str
    cached: bool
    processing_time: float
    finish_reason: str
    usage: Usage
    stop_reason: str | int | None = None
    choices: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None


class ItemError(msgspec.Struct, frozen=True):
    """Why one prompt of a batch has no text."""

    code: str
    message: str
    param: str | None = None
    retryable: bool = False


class BatchItem(msgspec.Struct, frozen=True):
    """One prompt's text, or its error."""

    prompt: str
    generated_text: str | None = None
    input_length: int | None = None
    output_length: int | None = None
    finish_reason: str | None = None
    choices: list[dict[str, Any]] | None = None
    logprobs: list[dict[str, Any]] | None = None
    error: ItemError | None = None


class BatchAnswer(msgspec.Struct, frozen=True):
    """Answer of one call with several prompts."""

    model: str
    results: list[BatchItem]
    usage: Usage


class BatchResult(msgspec.Struct, frozen=True):
    """All prompts, in the order in which they were given. ``usage`` is of every call that was made."""

    results: list[BatchItem]
    usage: Usage

    @property
    def failed(self) -> list[BatchItem]:
        """Those without a text."""
        return [one for one in self.results if one.error is not None]


class Health(msgspec.Struct, frozen=True):
    """State of a server: healthy, degraded, starting, draining or unhealthy; ``uptime`` in seconds."""

    status: str
    models_loaded: list[str]
    uptime: float
    system_info: dict[str, Any]
    reasons: list[str] = []


class Piece(msgspec.Struct, frozen=True):
    """A piece of a stream: of which choice, and how many tokens it stands for."""

    text: str
    choice: int = 0
    token_count: int = 0
    finish_reason: str | None = None


class StreamEnd(msgspec.Struct, frozen=True):
    """What ends a whole stream."""

    model: str
    finish_reason: str | None
    events: int
    token_count: int
    sha256: str
    usage: Usage
