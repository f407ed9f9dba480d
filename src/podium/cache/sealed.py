"""Answers as a shared store holds them: unreadable to whoever does not know the request.

The key that seals an answer comes from the digest of its request, which is never stored. A store's dump shows
which model an answer is of and how long it is, but neither prompt nor answer; a value that was cut, changed or
moved to another key does not open.
"""

from __future__ import annotations

import secrets
from hashlib import sha256

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from podium.cache.entry import Entry, decode
from podium.cache.key import CacheKey

MAGIC = b"PdC1"
NONCE_BYTES = 12
TAG_BYTES = 16
LONGEST_BYTES = 255
HEAD_BYTES = len(MAGIC) + 2 + LONGEST_BYTES
"""Enough of the start of a value to read its model."""

MOST_EXTRA_BYTES = HEAD_BYTES + LONGEST_BYTES + NONCE_BYTES + TAG_BYTES
"""The most that sealing adds."""


def seal(key: CacheKey, model: str, data: bytes, stamp: bytes) -> bytes:
    """``data``, an encoded entry, readable with ``key`` only; ``model`` and ``stamp`` (255 bytes) stay readable."""
    name = model.encode()[:LONGEST_BYTES]
    head = MAGIC + bytes((len(name), len(stamp))) + name + stamp
    nonce = secrets.token_bytes(NONCE_BYTES)
    return head + nonce + _cipher(key).encrypt(nonce, data, head)


def unseal(key: CacheKey, value: bytes) -> Entry | None:
    """The entry in ``value``; None when it is not the answer of ``key``. Never raises on any bytes."""
    parts = _parts(value)
    if parts is None:
        return None
    head, nonce, sealed = parts
    try:
        data = _cipher(key).decrypt(nonce, sealed, head)
    except InvalidTag:
        return None
    return decode(data, key)


def model_of(value: bytes) -> str | None:
    """The model that ``value`` (or its first ``HEAD_BYTES``) says it is of; not verified."""
    if value[: len(MAGIC)] != MAGIC or len(value) < len(MAGIC) + 2:
        return None
    start = len(MAGIC) + 2
    return value[start : start + value[len(MAGIC)]].decode("utf-8", "replace")


def stamp_of(value: bytes) -> bytes:
    """The stamp that ``value`` was sealed with; empty where there is none."""
    parts = _parts(value)
    return b"" if parts is None else parts[0][len(MAGIC) + 2 + value[len(MAGIC)] :]


def _parts(value: bytes) -> tuple[bytes, bytes, bytes] | None:
    start = len(MAGIC) + 2
    if len(value) < start or value[: len(MAGIC)] != MAGIC:
        return None
    end = start + value[len(MAGIC)] + value[len(MAGIC) + 1]
    if len(value) < end + NONCE_BYTES + TAG_BYTES:
        return None
    return value[:end], value[end : end + NONCE_BYTES], value[end + NONCE_BYTES :]


def _cipher(key: CacheKey) -> AESGCM:
    return AESGCM(sha256(b"seal;" + key.digest).digest())
