"""A kept answer and its bytes."""

from __future__ import annotations

import msgspec

from podium.cache.key import CacheKey
from podium.core.generation import Chunk

SCHEMA = b"\x01"
"""First byte of an encoded entry; raised when an older reader would misunderstand it."""


class Entry(msgspec.Struct, frozen=True):
    """A complete answer: the chunks as the engine made them, and whose answer it is.

    ``fingerprint`` is of the request (``key.fingerprint``) under an idempotency key, else empty.
    """

    digest: bytes
    tenant: str
    model: str
    version: str
    engine: str
    created_unix_seconds: float
    fingerprint: bytes
    chunks: tuple[Chunk, ...]

    def answers(self, key: CacheKey) -> bool:
        """Whether it is the answer of ``key``, by what it says itself."""
        return (
            self.digest == key.digest
            and self.tenant == key.tenant
            and (key.kind == "retry" or self.model == key.model)
            and bool(self.chunks)
        )


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Entry)


def encode(entry: Entry) -> bytes:
    """The entry as bytes."""
    return SCHEMA + _encoder.encode(entry)


def decode(data: bytes, key: CacheKey) -> Entry | None:
    """The entry in ``data``; None when that is no entry of this schema, or not the answer of ``key``.

    For bytes of our own, from memory or authenticated: a forged length may cost memory.
    """
    if data[:1] != SCHEMA:
        return None
    try:
        entry = _decoder.decode(memoryview(data)[1:])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    return entry if entry.answers(key) else None
