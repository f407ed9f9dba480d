"""The APIs that can be asked: path, body of a request, and what each of its frames means."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

Message = dict[str, str]


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """One request before it has a dialect. Exactly one of ``text`` and ``messages`` is given."""

    text: str = ""
    messages: list[Message] | None = None
    output_tokens: int
    ignore_eos: bool = True
    extra: Mapping[str, object] = {}


class Frame(msgspec.Struct, kw_only=True):
    """What one event of a stream said."""

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
    """``read`` turns an event (its name, its data) into a frame. Raises ``ValueError`` when it is none."""

    path: str
    body: Callable[[Ask, str], dict[str, Any]]
    read: Callable[[bytes, bytes], Frame]


class _Usage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    cached_tokens: int | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[Any] | None = None


class _Choice(msgspec.Struct):
    text: str | None = None
    delta: _Delta | None = None
    finish_reason: str | None = None


class _OpenAI(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class _Native(msgspec.Struct):
    text: str = ""
    token_count: int | None = None
    finish_reason: str | None = None
    usage: _Usage | None = None
    error: Any = None


_openai = msgspec.json.Decoder(_OpenAI)
_native = msgspec.json.Decoder(_Native)


def _openai_frame(name: bytes, data: bytes) -> Frame:
    if data == b"[DONE]":
        return Frame(last=True)
    event = _openai.decode(data)
    if event.error is not None or name == b"error":
        return Frame(error=error_words(event.error))
    frame = _with_usage(Frame(), event.usage)
    for choice in event.choices:
        frame.finish_reason = choice.finish_reason or frame.finish_reason
        frame.text += choice.text or ""
        if choice.delta is not None:
            frame.text += choice.delta.content or ""
            frame.reasoning += choice.delta.reasoning_content or choice.delta.reasoning or ""
            if choice.delta.tool_calls:
                frame.text += str(choice.delta.tool_calls)
    return frame


def _native_frame(name: bytes, data: bytes) -> Frame:
    event = _native.decode(data)
    if name == b"error" or event.error is not None:
        return Frame(error=error_words(event.error))
    frame = _with_usage(Frame(text=event.text, finish_reason=event.finish_reason), event.usage)
    frame.frame_tokens, frame.last = event.token_count if name == b"token" else None, name == b"done"
    return frame


def _with_usage(frame: Frame, usage: _Usage | None) -> Frame:
    if usage is not None:
        frame.prompt_tokens, frame.output_tokens = usage.prompt_tokens, usage.completion_tokens
        frame.cached_prompt_tokens = usage.cached_tokens
        if usage.prompt_tokens_details:
            frame.cached_prompt_tokens = usage.prompt_tokens_details.get("cached_tokens")
    return frame


def error_words(error: Any) -> str:
    """Code and message of an error member, short."""
    if isinstance(error, dict):
        return f"{error.get('code') or error.get('type') or ''} {error.get('message') or ''}".strip()[:200]
    return str(error or "an error event")[:200]


def _openai_common(ask: Ask, model: str) -> dict[str, Any]:
    own = {
        "model": model,
        "max_tokens": ask.output_tokens,
        "temperature": 0.0,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    return own | ({"ignore_eos": True} if ask.ignore_eos else {})


def _completions_body(ask: Ask, model: str) -> dict[str, Any]:
    return {"prompt": ask.text, **_openai_common(ask, model), **ask.extra}


def _chat_body(ask: Ask, model: str) -> dict[str, Any]:
    messages = ask.messages if ask.messages is not None else [{"role": "user", "content": ask.text}]
    return {"messages": messages, **_openai_common(ask, model), **ask.extra}


def _native_body(ask: Ask, model: str) -> dict[str, Any]:
    own = {"model": model, "max_new_tokens": ask.output_tokens, "do_sample": False, "stream": True}
    return {"prompt": ask.text, **own, **({"ignore_eos": True} if ask.ignore_eos else {}), **ask.extra}


DIALECTS = {
    "completions": Dialect(path="/v1/completions", body=_completions_body, read=_openai_frame),
    "chat": Dialect(path="/v1/chat/completions", body=_chat_body, read=_openai_frame),
    "native": Dialect(path="/generate", body=_native_body, read=_native_frame),
}
