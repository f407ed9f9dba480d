"""How a request ended, and which of these ends count against the server."""

from __future__ import annotations

from typing import Literal, get_args

Outcome = Literal[
    "ok",
    "client_error",
    "unauthorized",
    "rate_limited",
    "overloaded",
    "unavailable",
    "deadline",
    "cancelled",
    "stream_error",
    "server_error",
]
"""Exactly one of these, for ever."""

OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
BAD: frozenset[Outcome] = frozenset({"overloaded", "unavailable", "deadline", "stream_error", "server_error"})
EXCLUDED: frozenset[Outcome] = frozenset({"client_error", "unauthorized", "rate_limited", "cancelled"})
"""Ended by the caller's own doing: neither good nor bad."""

OutcomeClass = Literal["ok", "bad", "excluded"]
"""``ok``: ended well. ``bad``: counts against the server. ``excluded``: ended by its caller."""


def class_of(outcome: str) -> OutcomeClass:
    """What an outcome is one of."""
    return "bad" if outcome in BAD else "excluded" if outcome in EXCLUDED else "ok"
