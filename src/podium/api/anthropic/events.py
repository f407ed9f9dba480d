"""The stream events of ``/v1/messages``: one text block between the start and the end of a message."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from podium.api.anthropic.translate import stop_of, usage_of
from podium.api.errors import body_of
from podium.core.errors import PodiumError
from podium.core.generation import Chunk, Usage
from podium.protocols.anthropic import MessageAnswer

_encode = msgspec.json.Encoder().encode
_BLOCK_START = (
    b'event: content_block_start\ndata: {"type":"content_block_start","index":0,'
    b'"content_block":{"type":"text","text":""}}\n\n'
)
_DELTA_HEAD = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":'
)
_BLOCK_STOP = b'event: content_block_stop\ndata: {"type":"content_block_stop","index":0}\n\n'
_MESSAGE_STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


class MessageEvents:
    """Events of one message."""

    def __init__(self, request_id: str, message_id: str, model: str) -> None:
        self._request_id = request_id
        self._message_id = message_id
        self._model = model
        self._begun = False
        self._stop: tuple[str, str | None] = ("end_turn", None)

    def event(self, prompt: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - one prompt only
        """What begins the message, with the first chunk; then a delta for each piece of text."""
        found = b"" if self._begun else self._beginning(chunk)
        self._begun = True
        if chunk.finish_reason is not None:
            self._stop = stop_of(chunk.finish_reason, chunk.stop_reason)
        return b"".join((found, _DELTA_HEAD, _encode(chunk.text), b"}}\n\n")) if chunk.text else found

    def closing(self, usage: Usage) -> Iterator[bytes]:
        """The end of the block and of the message, with the reason and all tokens."""
        yield _BLOCK_STOP
        reason, sequence = self._stop
        delta = {"stop_reason": reason, "stop_sequence": sequence}
        yield _named(b"message_delta", {"type": "message_delta", "delta": delta, "usage": usage_of(usage)})
        yield _MESSAGE_STOP

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """The ``error`` event; no end of the message follows."""
        yield b"event: error\ndata: " + body_of(error, "anthropic", self._request_id) + b"\n\n"

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
        return _named(b"message_start", {"type": "message_start", "message": message}) + _BLOCK_START


def _named(name: bytes, payload: object) -> bytes:
    return b"event: " + name + b"\ndata: " + _encode(payload) + b"\n\n"
