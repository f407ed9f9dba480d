"""When answers were last cleared, as marks in the shared store that every kept answer repeats.

There is one mark for everything, and one for each model, tenant and pair of them that was ever cleared. Marks are
random, not counted, and live in one hash: a store that loses the hash loses all marks together, and no
answer from before can come back, for there is no mark any more that it could match.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import sha256
from typing import Any

MARK_BYTES = 8
_EVERYTHING = "all"


def public_name(kind: str, name: str) -> str:
    """A digest that stands for a tenant or model in the shared store, 32 hex digits."""
    return sha256(f"{kind};{name}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


class Generations:
    """The commands that read and change the marks under ``prefix``."""

    def __init__(self, prefix: str) -> None:
        self.key = f"{prefix}:cache:generations"

    def begin(self) -> tuple[Any, ...]:
        """Give everything a mark if it has none."""
        return ("HSETNX", self.key, _EVERYTHING, secrets.token_hex(MARK_BYTES))

    def read(self, tenant: str, model: str) -> tuple[Any, ...]:
        """All marks that hold for an answer; ``stamp`` understands what comes back."""
        return ("HMGET", self.key, _EVERYTHING, _of(tenant=tenant), _of(model=model), _of(tenant=tenant, model=model))

    def renew(self, *, model: str | None, tenant: str | None) -> tuple[Any, ...]:
        """A new mark, which no answer from before has."""
        return ("HSET", self.key, _of(tenant=tenant, model=model), secrets.token_hex(MARK_BYTES))

    @staticmethod
    def stamp(answer: Any) -> bytes:
        """The marks as an answer repeats them; empty when the store has none, or told nonsense."""
        if not isinstance(answer, Sequence) or len(answer) != 4 or not isinstance(answer[0], bytes):
            return b""
        marks = [mark or b"" for mark in answer]
        if not all(isinstance(mark, bytes) and len(mark) in {0, 2 * MARK_BYTES} for mark in marks):
            return b""
        return b";".join(marks) if marks[0] else b""


def _of(*, tenant: str | None = None, model: str | None = None) -> str:
    """The field of one mark; without tenant and model, of everything."""
    names = [public_name(kind, name) for kind, name in (("tenant", tenant), ("model", model)) if name is not None]
    return ":".join(names) or _EVERYTHING
