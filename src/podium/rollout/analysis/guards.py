"""Facts that need no statistics: a canary that cannot serve is rolled back at once."""

from __future__ import annotations

from typing import Literal

import msgspec

Offence = Literal["unready", "crash-loop"]


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the canary's replicas; None is not known, which is no offence."""

    ready_replicas: int | None = None
    restarts: int | None = None


def offence(condition: Condition, max_restarts: int) -> Offence | None:
    """What the canary cannot be excused for, if anything. ``restarts`` may be ``max_restarts``, not more."""
    if condition.ready_replicas == 0:
        return "unready"
    if condition.restarts is not None and condition.restarts > max_restarts:
        return "crash-loop"
    return None
