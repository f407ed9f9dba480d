"""The stream events of ``/v1/messages``: blocks of text and of calls between the start and the end of a message."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from podium.api.anthropic.translate import stop_of, usage_of
from podium.api.errors import body_of
from podium.core.errors import PodiumError
from podium.core.generation import Chunk, ToolCallDelta, Usage
from podium.core.ids import new_id
from podium.protocols.anthropic import MessageAnswer

_encode = msgspec.json.Encoder().encode
_DELTA_HEAD = b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":'
_TEXT_HEAD = b'{"type":"text_delta","text":'
_INPUT_HEAD = b'{"type":"input_json_delta","partial_json":'
_BLOCK_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n'
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
_EMPTY_TEXT = {"type": "text", "text": ""}


class MessageEvents:
    """Events of one message."""

    def __init__(self, request_id: str, message_id: str, model: str) -> None:
        self._request_id = request_id
        self._message_id = message_id
        self._model = model
        self._begun = False
        self._block = -1
        self._block_is_text = False
        self._stop: tuple[str, str | None] = ("end_turn", None)

    def event(self, prompt: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - one prompt only
        """What begins the message, with the first chunk; then a delta for each piece of text or of a call's input."""
        found = [] if self._begun else [self._beginning(chunk)]
        self._begun = True
        if chunk.finish_reason is not None:
            self._stop = stop_of(chunk.finish_reason, chunk.stop_reason)
        if chunk.text:
            if not self._block_is_text:
                found.append(self._next_block(_EMPTY_TEXT))
            found += [_DELTA_HEAD % self._block, _TEXT_HEAD, _encode(chunk.text), b"}}\n\n"]
        found += [self._call_piece(piece) for piece in chunk.tool_calls]
        return b"".join(found)

    def closing(self, usage: Usage) -> Iterator[bytes]:
        """The end of the last block and of the message, with the reason and all tokens."""
        if self._block < 0:
            yield self._next_block(_EMPTY_TEXT)
        yield _BLOCK_STOP % self._block
        reason, sequence = self._stop
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        yield _named(b"message_delta", {"type": "message_delta", "delta": delta, "usage": usage_of(usage)})
        yield _MESSAGE_STOP

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """The ``error`` event; no end of the message follows."""
        yield b"event: error\ndata: " + body_of(error, "anthropic", self._request_id) + b"\n\n"

    def _call_piece(self, piece: ToolCallDelta) -> bytes:
        begin = b""
        if piece.name is not None:
            begin = self._next_block({"type": "tool_use", "id": new_id("toolu"), "name": piece.name, "input": {}})
        if not piece.arguments:
            return begin
        return b"".join((begin, _DELTA_HEAD % self._block, _INPUT_HEAD, _encode(piece.arguments), b"}}\n\n"))

    def _next_block(self, block: dict[str, Any]) -> bytes:
        """The end of the block before, where there is one, and the start of ``block``."""
        end = _BLOCK_STOP % self._block if self._block >= 0 else b""
        self._block += 1
        self._block_is_text = block["type"] == "text"
        start = {"type": "content_block_start", "index": self._block, "content_block": block}
        return end + _named(b"content_block_start", start)

    def _beginning(self, chunk: Chunk) -> bytes:
        first = Usage(chunk.prompt_tokens, chunk.token_count, chunk.cached_tokens)
        message = MessageAnswer(
            id=self._message_id,
            model=self._model,
            content=[],
            stop_reason=None,
            stop_sequence=None,
            usage=usage_of(first),
        )
        return _named(b"message_start", {"type": "message_start", "message": message})


def _named(name: bytes, payload: object) -> bytes:
    return b"event: " + name + b"\ndata: " + _encode(payload) + b"\n\n"
