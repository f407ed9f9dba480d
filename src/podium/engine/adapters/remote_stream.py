"""The frames of one streamed answer, read into engine outputs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from podium.core.generation import FinishReason, TokenLogprob, ToolCallDelta
from podium.engine.adapters import remote_failures
from podium.engine.adapters.remote_failures import Broken
from podium.engine.adapters.sse import Event
from podium.engine.interface import SequenceOutput

DONE = b"[DONE]"
UNKNOWN_TOKEN_ID = -1  # the protocol names tokens by their text only

# The other names are those of Anthropic, Cohere and TGI behind OpenAI-shaped gateways. Any further reason
# (`content_filter`, `function_call`, `abort`, …) means that text was withheld or cut, and must not look whole.
FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "end_turn": "stop",
    "COMPLETE": "stop",
    "length": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "tool_calls": "tool_calls",
}


class _Alternative(msgspec.Struct):
    token: str
    logprob: float


class _ChatLogprob(msgspec.Struct):
    token: str
    logprob: float
    top_logprobs: list[_Alternative] | None = None


class _Logprobs(msgspec.Struct):
    """Both shapes: the chat route's ``content``, or the completion route's parallel lists."""

    content: list[_ChatLogprob] | None = None
    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class _Function(msgspec.Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(msgspec.Struct):
    index: int = 0
    function: _Function | None = None


class _Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    delta: _Delta | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: _Logprobs | None = None


class _PromptDetails(msgspec.Struct):
    cached_tokens: int | None = None


class _Usage(msgspec.Struct):
    prompt_tokens: int = 0
    completion_tokens: int | None = 0
    prompt_tokens_details: _PromptDetails | None = None


class _Frame(msgspec.Struct):
    choices: list[_Choice] | None = None
    usage: _Usage | None = None
    error: Any = None


_DECODER = msgspec.json.Decoder(_Frame)


class AnswerReader:
    """Follows one answer. ``finished`` after ``[DONE]`` of a whole one.

    The finish reason is handed on with ``[DONE]``, not before: until then the stream can still break,
    and the final usage is not there.
    """

    def __init__(self, sequence_id: int) -> None:
        self.finished = False
        self._sequence_id = sequence_id
        self._finish: str | None = None
        self._counted = 0
        self._calls = 0
        self._completion_tokens: int | None = None
        self._prompt_tokens = 0
        self._cached_tokens: int | None = None

    def read(self, event: Event) -> Iterator[SequenceOutput]:
        """The outputs of one event. Raises ``PodiumError`` when the answer is broken."""
        if self.finished:
            return
        if event.data.strip() == DONE:
            yield self._end()
            return
        frame = _decode(event)
        if frame.error is not None or event.name == b"error":
            raise remote_failures.of_frame(frame.error)
        self._take_usage(frame.usage)
        for choice in frame.choices or ():
            if self._finish is not None and _text(choice):
                raise Broken("The remote server went on after the end of its answer.")
            self._finish = choice.finish_reason or self._finish
            if (output := self._piece(choice)) is not None:
                yield output

    def _piece(self, choice: _Choice) -> SequenceOutput | None:
        """None for a frame without text: a role alone, or the finish reason alone."""
        text, logprobs, calls = _text(choice), _logprobs(choice.logprobs), self._call_pieces(choice)
        if not text and not logprobs and not calls:
            return None
        output = self._output(text=text, token_count=self._newly_counted(len(logprobs or ()) or 1), logprobs=logprobs)
        output.tool_calls = calls
        return output

    def _call_pieces(self, choice: _Choice) -> tuple[ToolCallDelta, ...]:
        """Pieces of calls; each call's name once, and the calls one after the other."""
        found: list[ToolCallDelta] = []
        for call in (choice.delta and choice.delta.tool_calls) or ():
            function = call.function or _Function()
            begins = call.index == self._calls
            if call.index != self._calls - 1 and not (begins and function.name):
                raise Broken("The remote server sent a piece of a call that never began.")
            self._calls += begins
            found.append(ToolCallDelta(call.index, function.name if begins else None, function.arguments or ""))
        return tuple(found)

    def _end(self) -> SequenceOutput:
        if self._finish is None:
            raise Broken("The remote server ended its answer without a finish reason.")
        if self._finish not in FINISH:
            raise Broken("The remote server cut its answer for a reason of its own (a filter, an abort).")
        self.finished = True
        output = self._output(text="", token_count=self._newly_counted(0))
        finish = FINISH[self._finish]
        # OpenAI says `stop` after a call that was forced by name.
        output.finish_reason = "tool_calls" if finish == "stop" and self._calls else finish
        return output

    def _output(
        self, *, text: str, token_count: int, logprobs: tuple[TokenLogprob, ...] | None = None
    ) -> SequenceOutput:
        return SequenceOutput(
            sequence_id=self._sequence_id,
            text=text,
            token_count=token_count,
            prompt_tokens=self._prompt_tokens,
            cached_tokens=self._cached_tokens,
            text_logprobs=logprobs,
        )

    def _newly_counted(self, guess: int) -> int:
        """Tokens since the last output: by the server's count where there is one, else ``guess``."""
        total = self._counted + guess if self._completion_tokens is None else self._completion_tokens
        new = max(0, total - self._counted)
        self._counted += new
        return new

    def _take_usage(self, usage: _Usage | None) -> None:
        if usage is None:
            return
        self._prompt_tokens = usage.prompt_tokens
        self._completion_tokens = usage.completion_tokens or 0
        if usage.prompt_tokens_details is not None:
            self._cached_tokens = usage.prompt_tokens_details.cached_tokens


def _decode(event: Event) -> _Frame:
    try:
        return _DECODER.decode(event.data)
    except msgspec.DecodeError as error:  # malformed JSON and wrong types alike
        raise Broken("The remote server sent a frame that is not in OpenAI's format.") from error


def _text(choice: _Choice) -> str:
    if choice.delta is not None:
        return choice.delta.content or ""
    return choice.text or ""


def _logprobs(given: _Logprobs | None) -> tuple[TokenLogprob, ...] | None:
    if given is None:
        return None
    if given.content is not None:
        return tuple(_chat_entry(entry) for entry in given.content)
    tokens = given.tokens or []
    values = given.token_logprobs or []
    tops = given.top_logprobs or [None] * len(tokens)
    if not len(tokens) == len(values) == len(tops):
        raise Broken("The remote server sent lists of log probabilities that do not match.")
    return tuple(_entry(token, value, top or {}) for token, value, top in zip(tokens, values, tops, strict=True))


def _chat_entry(entry: _ChatLogprob) -> TokenLogprob:
    return _entry(entry.token, entry.logprob, {other.token: other.logprob for other in entry.top_logprobs or ()})


def _entry(token: str, logprob: float | None, top: dict[str, float]) -> TokenLogprob:
    ranked = sorted(top.items(), key=lambda item: -item[1])
    return TokenLogprob(
        token_id=UNKNOWN_TOKEN_ID,
        token=token,
        logprob=logprob,
        top=tuple((UNKNOWN_TOKEN_ID, other, value) for other, value in ranked),
    )
