"""What it takes to ask an API: path, body of a request, and what an answer, or each frame of it, means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from podium.bench.plan import Tensor

Message = dict[str, str]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request before it has a dialect. Exactly one of ``text`` and ``messages`` is given.

    ``more`` are further texts, for the APIs that take several at once; ``tensors`` is what the model takes, where its
    inputs are tensors.
    """

    text: str = ""
    messages: list[Message] | None = None
    more: list[str] = []
    tensors: list[Tensor] = []
    output_tokens: int
    ignore_eos: bool = True
    streamed: bool = True
    extra: Mapping[str, object] = {}


class Frame(msgspec.Struct, kw_only=True):
    """What one event of a stream said, or a whole answer."""

    text: str = ""  # new output: content or tool call
    reasoning: str = ""
    finish_reason: str | None = None
    error: str | None = None
    prompt_tokens: int | None = None
    cached_prompt_tokens: int | None = None
    output_tokens: int | None = None  # so far, where the server says
    frame_tokens: int | None = None  # of this frame, where the server says
    last: bool = False  # the frame that ends the stream


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """``read`` turns an event (its name, its data) into a frame, ``whole`` a body that is the answer.

    Both raise ``ValueError`` when it is none.
    """

    path: str  # ``{model}`` stands for the model's name
    body: Callable[[Ask, str], dict[str, Any]]
    read: Callable[[bytes, bytes], Frame]
    whole: Callable[[bytes], Frame]
    streams: bool = True  # answers come as events
    generates: bool = True  # answers have output tokens and a finish reason
    tells_usage: bool = True


def error_words(error: Any) -> str:
    """Code and message of an error member, short."""
    if isinstance(error, dict):
        return f"{error.get('code') or error.get('type') or ''} {error.get('message') or ''}".strip()[:200]
    return str(error or "an error event")[:200]
