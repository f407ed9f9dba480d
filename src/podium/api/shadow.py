"""Copies of requests that the gateway sends to compare versions: what marks them, and what their answers say."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from podium.protocols.shadow import COUNTS_NOWHERE, FIELD

MARK = FIELD.encode("ascii")
COPY_PRIORITY = -1_000_000
"""A class below every caller's: a copy waits until nobody else does."""

_KEY = "podium.copy"


def attach(scope: MutableMapping[str, Any]) -> None:
    """From now on the request is known for a copy."""
    scope[_KEY] = True


def word_of(scope: MutableMapping[str, Any]) -> list[tuple[bytes, bytes]]:
    """The header that tells the gateway so; none for everybody else's requests."""
    return [(MARK, COUNTS_NOWHERE.encode("ascii"))] if scope.get(_KEY) else []
