"""Identifiers: made here, or accepted from a caller when they are harmless."""

from __future__ import annotations

import random
import re

from podium.core.identity import KEY_PREFIX

_ACCEPTABLE = re.compile(rf"(?!{KEY_PREFIX})[A-Za-z0-9._-]{{1,128}}\Z")
_random = random.Random()  # noqa: S311 - ids must not repeat; they are no secrets, and the kernel's take 5 us each


def new_id(prefix: str) -> str:
    """A fresh identifier such as ``req-4f…`` (96 random bits, seeded by the system; never a secret)."""
    return f"{prefix}-{_random.getrandbits(96):024x}"


def accept_request_id(given: str | None) -> str:
    """``given`` when it is 1 to 128 of ``[A-Za-z0-9._-]`` and no key of ours, otherwise a fresh id.

    A caller's id reaches logs and headers, so anything else is replaced, never repaired.
    """
    if given is not None and _ACCEPTABLE.match(given):
        return given
    return new_id("req")
