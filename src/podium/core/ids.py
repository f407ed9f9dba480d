"""Identifiers: made here, or accepted from a caller when they are harmless."""

from __future__ import annotations

import re
import secrets

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,128}\Z")


def new_id(prefix: str) -> str:
    """A fresh identifier such as ``req-4f…`` (96 random bits)."""
    return f"{prefix}-{secrets.token_hex(12)}"


def accept_request_id(given: str | None) -> str:
    """``given`` when it is 1 to 128 of ``[A-Za-z0-9._-]``, otherwise a fresh id.

    A caller's id reaches logs and headers, so anything else is replaced, never repaired.
    """
    if given is not None and _ACCEPTABLE.match(given):
        return given
    return new_id("req")
