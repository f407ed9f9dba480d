"""The text of a key: made once, told once, and known afterwards only by its digest."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass, field

from podium.core.identity import KEY_PREFIX

_ID_BYTES = 8
_SECRET_BYTES = 32
_ID_CHARACTERS = 2 * _ID_BYTES
_ID_END = len(KEY_PREFIX) + _ID_CHARACTERS
# By fixed widths: base64url has "_" in its alphabet, so the text must never be split at one.
_SHAPE = re.compile(rf"{KEY_PREFIX}[0-9a-f]{{{_ID_CHARACTERS}}}_[A-Za-z0-9_-]{{43}}\Z")

NO_DIGEST = bytes(hashlib.sha256().digest_size)
"""Stands where there is no record; no text has this digest."""


@dataclass(frozen=True)
class MintedKey:
    """A fresh key. ``text`` is the secret: shown to its owner once, never kept, never logged, not in ``repr``."""

    id: str
    text: str = field(repr=False)
    digest: bytes = field(repr=False)


def mint() -> MintedKey:
    """A key with 64 random bits of id and 256 random bits of secret."""
    key_id = secrets.token_hex(_ID_BYTES)
    text = f"{KEY_PREFIX}{key_id}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    return MintedKey(key_id, text, digest_of(text))


def id_in(text: str) -> str | None:
    """The id that ``text`` claims, when it has the shape of a key (that it is one is for ``matches`` to say)."""
    return text[len(KEY_PREFIX) : _ID_END] if _SHAPE.match(text) else None


def claims_to_be_a_key(text: str) -> bool:
    """Whether ``text`` was meant as one of our keys, well-formed or not."""
    return text.startswith(KEY_PREFIX)


def digest_of(text: str) -> bytes:
    """SHA-256 of the whole text, id included. Text that is no ASCII is digested too, and is nobody's key."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()


def matches(text: str, digest: bytes) -> bool:
    """Whether ``text`` is the key of that digest, in a time that tells nothing of where they differ."""
    return hmac.compare_digest(digest_of(text), digest)
