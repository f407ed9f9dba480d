"""Frames on a worker socket: length prefix, msgpack body."""

from __future__ import annotations

import socket
from typing import Any, Generic, TypeVar

import msgspec

from podium.engine.messages import LENGTH_BYTES, MAX_FRAME_BYTES

M = TypeVar("M")

_ENCODER = msgspec.msgpack.Encoder()


class FrameTooLarge(Exception):
    """The peer announced a frame beyond the limit: the stream is garbage and must be closed."""


def encode_frame(message: msgspec.Struct) -> bytes:
    """One message as bytes, ready to send."""
    buffer = bytearray(LENGTH_BYTES)
    _ENCODER.encode_into(message, buffer, LENGTH_BYTES)
    buffer[:LENGTH_BYTES] = (len(buffer) - LENGTH_BYTES).to_bytes(LENGTH_BYTES, "big")
    return bytes(buffer)


class FrameDecoder(Generic[M]):
    """Cuts a byte stream into messages of one union type."""

    def __init__(self, kind: Any) -> None:
        self._decoder: msgspec.msgpack.Decoder[M] = msgspec.msgpack.Decoder(kind)
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[M]:
        """All messages completed by ``data``. Raises ``FrameTooLarge`` or ``msgspec.DecodeError``."""
        buffer = self._buffer
        buffer += data
        messages: list[M] = []
        start = 0
        while len(buffer) - start >= LENGTH_BYTES:
            size = int.from_bytes(buffer[start : start + LENGTH_BYTES], "big")
            if size > MAX_FRAME_BYTES:
                raise FrameTooLarge(size)
            end = start + LENGTH_BYTES + size
            if len(buffer) < end:
                break
            messages.append(self._decoder.decode(memoryview(buffer)[start + LENGTH_BYTES : end]))
            start = end
        if start:
            del buffer[:start]
        return messages


class BlockingReader(Generic[M]):
    """Reads messages from a blocking socket, for the worker's reader thread."""

    def __init__(self, connection: socket.socket, kind: Any) -> None:
        self._connection = connection
        self._decoder: FrameDecoder[M] = FrameDecoder(kind)

    def read(self) -> list[M] | None:
        """The next messages, at least one; None when the peer has closed."""
        while True:
            data = self._connection.recv(1 << 16)
            if not data:
                return None
            messages = self._decoder.feed(data)
            if messages:
                return messages
