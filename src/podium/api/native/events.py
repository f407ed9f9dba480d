"""The stream events of ``/generate``: ``token`` with contiguous ids, then ``done`` or ``error``."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

import msgspec

from podium.api.errors import body_of
from podium.api.native.translate import token_body
from podium.core.errors import PodiumError
from podium.core.generation import Chunk, Usage
from podium.protocols.native import UsageBody
from podium.protocols.sse import named_event

_encode = msgspec.json.Encoder().encode


class DoneBody(msgspec.Struct, frozen=True):
    """Data of the ``done`` event: what a client needs to know that it has everything.

    ``events`` counts the token events, ``sha256`` is over the UTF-8 bytes of their texts in order.
    """

    model: str
    finish_reason: str | None
    events: int
    token_count: int
    sha256: str
    usage: UsageBody


class GenerateEvents:
    """Events of one ``/generate`` call; ``prefix`` goes before the first text (``return_full_text``)."""

    def __init__(self, request_id: str, model: str, prefix: str) -> None:
        self._request_id = request_id
        self._model = model
        self._prefix = prefix
        self._id_head = b"id: " + request_id.encode("ascii") + b":"
        self._digest = hashlib.sha256()
        self._events = 0
        self._finish_reason: str | None = None
        self._begun: set[int] = set()

    def event(self, prompt: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - one prompt only
        """A ``token`` event; nothing for a piece without text that does not end its choice."""
        text = chunk.text if chunk.index in self._begun else self._prefix + chunk.text
        self._begun.add(chunk.index)
        if not (text or chunk.finish_reason or chunk.logprobs):
            return b""
        if chunk.finish_reason is not None and (chunk.index == 0):
            self._finish_reason = chunk.finish_reason
        self._digest.update(text.encode())
        number = self._events
        self._events += 1
        return b"".join(
            (
                self._id_head,
                b'%d\nevent: token\ndata: {"choice":%d,"text":' % (number, chunk.index),
                _encode(text),
                b',"token_count":%d' % chunk.token_count,
                _details(chunk),
                b"}\n\n",
            )
        )

    def closing(self, usage: Usage) -> Iterator[bytes]:
        """The ``done`` event."""
        done = DoneBody(
            model=self._model,
            finish_reason=self._finish_reason,
            events=self._events,
            token_count=usage.completion_tokens,
            sha256=self._digest.hexdigest(),
            usage=UsageBody.of(usage),
        )
        yield named_event(b"done", self._next_id(), _encode(done))

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """The ``error`` event; no ``done`` follows."""
        yield named_event(b"error", self._next_id(), body_of(error, "native", self._request_id))

    def _next_id(self) -> bytes:
        return b"%s:%d" % (self._request_id.encode("ascii"), self._events)


def _details(chunk: Chunk) -> bytes:
    """Members that only some events have."""
    found = b""
    if chunk.logprobs is not None:
        found += b',"logprobs":' + _encode([token_body(entry) for entry in chunk.logprobs])
    if chunk.finish_reason is not None:
        found += b',"finish_reason":"%s"' % chunk.finish_reason.encode("ascii")
    return found
