"""The stream events of chat and plain completions, made cheaply.

What is constant in a stream is encoded once; a token's event is one concatenation around its text.
"""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podium.api.errors import body_of
from podium.api.openai.translate import chat_token, legacy_logprobs
from podium.core.errors import PodiumError
from podium.core.generation import Chunk, ToolCallDelta, Usage
from podium.core.ids import new_id
from podium.protocols.openai_answers import ChatLogprobs, UsageBody
from podium.protocols.sse import DONE, data_event

_encode = msgspec.json.Encoder().encode
_FINISH = {None: b"null", "stop": b'"stop"', "length": b'"length"', "tool_calls": b'"tool_calls"'}


def _head(kind: str, answer_id: str, created: int, model: str) -> bytes:
    fields = {"id": answer_id, "object": kind, "created": created, "model": model}
    return b"data: " + _encode(fields)[:-1] + b',"choices":['


class OpenAIEvents:
    """What both streams share: usage, the good end, the bad end.

    ``include_usage`` puts ``usage`` (null) on every chunk and ends with a chunk that has only usage;
    ``continuous_usage`` puts the running usage on every chunk instead of null.
    """

    def __init__(self, head: bytes, *, include_usage: bool, continuous_usage: bool) -> None:
        self._head = head
        self._include_usage = include_usage
        self._continuous_usage = continuous_usage
        self._usages: dict[int, Usage] = {}
        self._tail = b'],"usage":null}\n\n' if include_usage else b"]}\n\n"

    def tail(self, prompt: int, chunk: Chunk) -> bytes:
        """The end of ``chunk``'s event. Must be called once for every chunk."""
        if not self._continuous_usage:
            return self._tail
        self._usages[prompt] = self._usages.get(prompt, Usage()).add(chunk)
        return b'],"usage":' + _encode(UsageBody.of(Usage.total(self._usages.values()))) + b"}\n\n"

    def closing(self, usage: Usage) -> Iterator[bytes]:
        """The usage chunk if it was asked for, and the end."""
        if self._include_usage:
            yield self._head + b'],"usage":' + _encode(UsageBody.of(usage)) + b"}\n\n"
        yield DONE

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """An error event, and the end."""
        yield data_event(body_of(error, "openai", ""))
        yield DONE


class ChatEvents(OpenAIEvents):
    """Chunks of a chat completion; the role comes with the first piece of each choice."""

    def __init__(
        self, answer_id: str, created: int, model: str, *, include_usage: bool, continuous_usage: bool
    ) -> None:
        head = _head("chat.completion.chunk", answer_id, created, model)
        super().__init__(head, include_usage=include_usage, continuous_usage=continuous_usage)
        self._begun: set[int] = set()

    def event(self, prompt: int, chunk: Chunk) -> bytes:
        """One chunk; nothing for a piece without text that neither starts nor ends its choice."""
        tail = self.tail(prompt, chunk)
        index = chunk.index
        first = index not in self._begun
        if not (chunk.text or first or chunk.finish_reason or chunk.logprobs or chunk.tool_calls):
            return b""
        if first:
            self._begun.add(index)
        delta = _delta(chunk, first=first)
        logprobs = b"null" if chunk.logprobs is None else _chat_logprobs(chunk)
        return b"".join(
            (
                self._head,
                b'{"index":%d,"delta":{' % index,
                delta,
                b'},"logprobs":',
                logprobs,
                b',"finish_reason":',
                _FINISH[chunk.finish_reason],
                _stop_reason(chunk),
                b"}",
                tail,
            )
        )


class CompletionEvents(OpenAIEvents):
    """Chunks of a plain completion over one or several prompts."""

    def __init__(
        self, answer_id: str, created: int, model: str, *, choices: int, include_usage: bool, continuous_usage: bool
    ) -> None:
        head = _head("text_completion", answer_id, created, model)
        super().__init__(head, include_usage=include_usage, continuous_usage=continuous_usage)
        self._choices = choices
        self._offsets: dict[int, int] = {}
        self._begun: set[int] = set()

    def event(self, prompt: int, chunk: Chunk) -> bytes:
        """One chunk; nothing for a piece without text that neither starts nor ends its choice."""
        tail = self.tail(prompt, chunk)
        index = prompt * self._choices + chunk.index
        if not (chunk.text or chunk.finish_reason or chunk.logprobs or index not in self._begun):
            return b""
        self._begun.add(index)
        return b"".join(
            (
                self._head,
                b'{"text":',
                _encode(chunk.text),
                b',"index":%d,"logprobs":' % index,
                b"null" if chunk.logprobs is None else self._logprobs(index, chunk),
                b',"finish_reason":',
                _FINISH[chunk.finish_reason],
                _stop_reason(chunk),
                b"}",
                tail,
            )
        )

    def _logprobs(self, index: int, chunk: Chunk) -> bytes:
        entries = chunk.logprobs or ()
        offset = self._offsets.get(index, 0)
        self._offsets[index] = offset + sum(len(entry.token) for entry in entries)
        return _encode(legacy_logprobs(entries, offset))


def _delta(chunk: Chunk, *, first: bool) -> bytes:
    """The members of a chunk's ``delta``: the role with the first one, then text, then pieces of calls."""
    members = [b'"role":"assistant"'] if first else []
    if chunk.text or (first and not chunk.tool_calls):
        members.append(b'"content":' + _encode(chunk.text))
    if chunk.tool_calls:
        members.append(b'"tool_calls":' + _encode([_call_piece(piece) for piece in chunk.tool_calls]))
    return b",".join(members)


def _call_piece(piece: ToolCallDelta) -> dict[str, object]:
    if piece.name is None:
        return {"index": piece.index, "function": {"arguments": piece.arguments}}
    function = {"name": piece.name, "arguments": piece.arguments}
    return {"index": piece.index, "id": new_id("call"), "type": "function", "function": function}


def _chat_logprobs(chunk: Chunk) -> bytes:
    return _encode(ChatLogprobs([chat_token(entry) for entry in chunk.logprobs or ()]))


def _stop_reason(chunk: Chunk) -> bytes:
    if chunk.finish_reason is None:
        return b""
    return b',"stop_reason":' + _encode(chunk.stop_reason)
