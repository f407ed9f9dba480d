"""The states of a model version, and the only ways between them."""

from __future__ import annotations

from typing import Literal

from podium.core.errors import Conflict

ModelState = Literal["unloaded", "loading", "warming", "ready", "draining", "failed"]

TRANSITIONS: dict[ModelState, frozenset[ModelState]] = {
    "unloaded": frozenset({"loading"}),
    "loading": frozenset({"warming", "failed", "unloaded"}),
    "warming": frozenset({"ready", "failed", "unloaded"}),
    "ready": frozenset({"draining"}),
    "draining": frozenset({"unloaded"}),
    "failed": frozenset({"loading"}),
}


def advance(current: ModelState, wanted: ModelState) -> ModelState:
    """``wanted``, when the table allows it. Raises ``Conflict`` otherwise."""
    if wanted not in TRANSITIONS[current]:
        allowed = ", ".join(sorted(TRANSITIONS[current]))
        raise Conflict(f"The model is {current}; from there it can become: {allowed}.")
    return wanted
