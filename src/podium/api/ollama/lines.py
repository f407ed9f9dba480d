"""The lines of ``/api/generate`` and ``/api/chat``: a piece of text each, and a last one with the counts."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from podium.api.errors import body_of
from podium.api.tools import Call, collect, whole_calls
from podium.core.errors import PodiumError
from podium.core.generation import Chunk, Usage
from podium.protocols.ollama import OllamaAnswerMessage, OllamaFunctionCall, OllamaLine, OllamaToolCall

_encode = msgspec.json.Encoder().encode
_NANOSECONDS = 1_000_000_000
Piece = Callable[[str, Sequence[Call]], dict[str, Any]]
"""Where a route puts text and calls: the members for them."""


def response_piece(text: str, _calls: Sequence[Call] = ()) -> dict[str, Any]:
    """As ``/api/generate`` has it, where nothing is called."""
    return {"response": text}


def message_piece(text: str, calls: Sequence[Call] = ()) -> dict[str, Any]:
    """As ``/api/chat`` has it. Raises EngineError for a call whose arguments are no JSON object."""
    if not calls:
        return {"message": OllamaAnswerMessage(text)}
    found = [OllamaToolCall(OllamaFunctionCall(call.name, call.arguments_object())) for call in calls]
    return {"message": OllamaAnswerMessage(text, tool_calls=found)}


class Lines:
    """The lines of one answer; ``arrived`` is when its request came, on the monotonic clock."""

    def __init__(self, model: str, piece: Piece, *, arrived: float) -> None:
        self._model = model
        self._piece = piece
        self._arrived = arrived
        self._first_token_at: float | None = None
        self._reason = "stop"
        self._calls: list[Call] = []
        self._told_calls = 0

    def event(self, prompt: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - one prompt only
        """A line with the piece's text, or with calls that have ended; nothing for a piece without any."""
        if self._first_token_at is None:
            self._first_token_at = time.monotonic()
        self._reason = chunk.finish_reason or self._reason
        collect(self._calls, chunk.tool_calls)
        ended = len(self._calls) if chunk.finish_reason else max(0, len(self._calls) - 1)
        calls = whole_calls(self._calls[self._told_calls : ended], chunk.finish_reason)
        self._told_calls = ended
        return self._line(chunk.text, calls, done=False) if chunk.text or calls else b""

    def closing(self, usage: Usage) -> Iterator[bytes]:
        """The last line."""
        yield self.whole("", self._reason, usage)

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """A line with the error, and no last one."""
        yield body_of(error, "ollama", "") + b"\n"

    def whole(self, text: str, reason: str | None, usage: Usage, calls: Sequence[Call] = ()) -> bytes:
        """A line that ends an answer. Without streaming it is the whole answer, and no first token was seen."""
        ended = time.monotonic()
        first = ended if self._first_token_at is None else self._first_token_at
        return self._line(
            text,
            whole_calls(calls, reason),
            done=True,
            done_reason="length" if reason == "length" else "stop",
            total_duration=_nanoseconds(ended - self._arrived),
            load_duration=0,
            prompt_eval_count=usage.prompt_tokens,
            prompt_eval_duration=_nanoseconds(first - self._arrived),
            eval_count=usage.completion_tokens,
            eval_duration=_nanoseconds(ended - first),
        )

    def loaded(self) -> bytes:
        """The answer to somebody who only asks whether the model is there."""
        return self._line("", done=True, done_reason="load")

    def _line(self, text: str, calls: Sequence[Call] = (), **members: Any) -> bytes:
        return _encode(OllamaLine(model=self._model, created_at=now(), **self._piece(text, calls), **members)) + b"\n"


def now() -> str:
    """This moment, as Ollama writes it."""
    return stamp(time.time())


def stamp(unix_seconds: float) -> str:
    """A moment, as Ollama writes it."""
    return dt.datetime.fromtimestamp(unix_seconds, dt.UTC).isoformat().replace("+00:00", "Z")


def _nanoseconds(seconds: float) -> int:
    return max(0, round(seconds * _NANOSECONDS))
