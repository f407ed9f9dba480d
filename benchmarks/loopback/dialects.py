"""Requests in Podium's three dialects, and the text in their answers."""

from __future__ import annotations

from typing import Any, Literal, NamedTuple

import msgspec

from benchmarks.loopback.podium_server import MODEL

Dialect = Literal["chat", "completion", "native"]
DIALECTS: tuple[Dialect, ...] = ("chat", "completion", "native")
PATHS: dict[Dialect, str] = {
    "chat": "/v1/chat/completions",
    "completion": "/v1/completions",
    "native": "/generate",
}


class Call(NamedTuple):
    """Where a request goes and what it says."""

    path: str
    body: dict[str, Any]


def call(dialect: Dialect, prompt: str, output_tokens: int, **more: Any) -> Call:
    """A greedy request for at most ``output_tokens``; ``more`` are members that the dialects share."""
    shared = {"model": MODEL, "temperature": 0, **more}
    if dialect == "chat":
        message = {"role": "user", "content": prompt}
        return Call(PATHS[dialect], {**shared, "messages": [message], "max_tokens": output_tokens})
    limit = "max_tokens" if dialect == "completion" else "max_new_tokens"
    return Call(PATHS[dialect], {**shared, "prompt": prompt, limit: output_tokens})


def prompt_seen(dialect: Dialect, prompt: str) -> str:
    """The prompt as the echo engine gets it, and repeats it: a chat goes through its template."""
    return f"user: {prompt}\n" if dialect == "chat" else prompt


def text_of(payload: Any) -> str:
    """The text in an answer, or in one event of a stream, of any dialect."""
    if "choices" in payload:
        choices = payload["choices"]
        return _text_of_choice(choices[0]) if choices else ""
    found: str = payload.get("generated_text") or payload.get("text") or ""
    return found


def _text_of_choice(choice: dict[str, Any]) -> str:
    holder = choice.get("delta") or choice.get("message") or {}
    found: str = choice.get("text") or holder.get("content") or ""
    return found


class Events:
    """Server-sent events as they come."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Any]:
        """The payloads of the events that are whole now, without the final mark."""
        *whole, self._rest = (self._rest + data).split(b"\n\n")
        lines = (line for event in whole for line in event.split(b"\n") if line.startswith(b"data: "))
        return [msgspec.json.decode(line[6:]) for line in lines if line != b"data: [DONE]"]


def events_in(body: bytes) -> list[Any]:
    """All payloads of a whole stream."""
    return Events().feed(body)
