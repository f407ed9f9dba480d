"""The APIs that can be asked, by name; those that generate text are here."""

from __future__ import annotations

from typing import Any

import msgspec

from podium.bench.dialect import Ask, Dialect, Frame, error_words
from podium.bench.one_shot_dialects import ONE_SHOT
from podium.bench.plan import Target


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
    message: _Delta | None = None  # of a whole answer
    finish_reason: str | None = None


class _OpenAI(msgspec.Struct):
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: Any = None


class _Native(msgspec.Struct):
    text: str = ""
    generated_text: str = ""  # of a whole answer
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
        said = choice.delta or choice.message
        if said is not None:
            frame.text += said.content or ""
            frame.reasoning += said.reasoning_content or said.reasoning or ""
            if said.tool_calls:
                frame.text += str(said.tool_calls)
    return frame


def _openai_whole(data: bytes) -> Frame:
    return _openai_frame(b"", data)


def _native_frame(name: bytes, data: bytes) -> Frame:
    event = _native.decode(data)
    if name == b"error" or event.error is not None:
        return Frame(error=error_words(event.error))
    frame = _with_usage(Frame(text=event.text, finish_reason=event.finish_reason), event.usage)
    frame.frame_tokens, frame.last = event.token_count if name == b"token" else None, name == b"done"
    return frame


def _native_whole(data: bytes) -> Frame:
    event = _native.decode(data)
    if event.error is not None:
        return Frame(error=error_words(event.error))
    return _with_usage(Frame(text=event.generated_text, finish_reason=event.finish_reason), event.usage)


def _with_usage(frame: Frame, usage: _Usage | None) -> Frame:
    if usage is not None:
        frame.prompt_tokens, frame.output_tokens = usage.prompt_tokens, usage.completion_tokens
        frame.cached_prompt_tokens = usage.cached_tokens
        if usage.prompt_tokens_details:
            frame.cached_prompt_tokens = usage.prompt_tokens_details.get("cached_tokens")
    return frame


def _openai_common(ask: Ask, model: str) -> dict[str, Any]:
    own: dict[str, Any] = {"model": model, "max_tokens": ask.output_tokens, "temperature": 0.0, "stream": ask.streamed}
    if ask.streamed:
        own["stream_options"] = {"include_usage": True}
    return own | ({"ignore_eos": True} if ask.ignore_eos else {})


def _completions_body(ask: Ask, model: str) -> dict[str, Any]:
    return {"prompt": ask.text, **_openai_common(ask, model), **ask.extra}


def _chat_body(ask: Ask, model: str) -> dict[str, Any]:
    messages = ask.messages if ask.messages is not None else [{"role": "user", "content": ask.text}]
    return {"messages": messages, **_openai_common(ask, model), **ask.extra}


def _native_body(ask: Ask, model: str) -> dict[str, Any]:
    own = {"model": model, "max_new_tokens": ask.output_tokens, "do_sample": False, "stream": ask.streamed}
    return {"prompt": ask.text, **own, **({"ignore_eos": True} if ask.ignore_eos else {}), **ask.extra}


DIALECTS = {
    "completions": Dialect(path="/v1/completions", body=_completions_body, read=_openai_frame, whole=_openai_whole),
    "chat": Dialect(path="/v1/chat/completions", body=_chat_body, read=_openai_frame, whole=_openai_whole),
    "native": Dialect(path="/generate", body=_native_body, read=_native_frame, whole=_native_whole),
    **ONE_SHOT,
}


def dialect_of(target: Target) -> Dialect:
    """How to speak with it."""
    dialect = DIALECTS[target.dialect]
    return dialect if target.streamed else msgspec.structs.replace(dialect, streams=False)
