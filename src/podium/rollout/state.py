"""Where a rollout stands: a value that says what the gateways should run, and what is waited for.

::

    idle → preparing → warming → (shadowing) → applying → acked → observing ─┬→ applying (next step)
                                                                             └→ baking → draining → done
    any of these → held → (approved, or evidence) → on        any → aborting → draining-canary → rolled-back
                                                                                               → superseded
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from podium.rollout.events import Started
from podium.rollout.terms import Terms

WHOLE = 10_000  # units of traffic; weights always sum to it


class Phase(StrEnum):
    """What is waited for. ``DEADLINES`` says how long."""

    IDLE = "idle"
    PREPARING = "preparing"
    WARMING = "warming"
    SHADOWING = "shadowing"
    APPLYING = "applying"
    ACKED = "acked"
    OBSERVING = "observing"
    BAKING = "baking"
    DRAINING = "draining"
    DONE = "done"
    HELD = "held"
    ABORTING = "aborting"
    DRAINING_CANARY = "draining-canary"
    ROLLED_BACK = "rolled-back"
    SUPERSEDED = "superseded"


ENDED = frozenset({Phase.IDLE, Phase.DONE, Phase.ROLLED_BACK, Phase.SUPERSEDED})
LEAVING = frozenset({Phase.ABORTING, Phase.DRAINING_CANARY})

# Seconds (rollout specification, section 2), where the terms name no others. What happens then is in ``transitions``.
DEADLINES: dict[Phase, float] = {
    Phase.PREPARING: 1800.0,
    Phase.WARMING: 900.0,
    Phase.SHADOWING: 1800.0,
    Phase.APPLYING: 10.0,
    Phase.ACKED: 60.0,
    Phase.OBSERVING: 3600.0,
    Phase.BAKING: 1800.0,
    Phase.DRAINING: 600.0,
    Phase.DRAINING_CANARY: 600.0,
    Phase.HELD: 86_400.0,
    Phase.ABORTING: 10.0,
}


class RolloutState(msgspec.Struct, frozen=True, kw_only=True):
    """One rollout, and the revisions that were aborted before it.

    Attributes:
        wanted_units: what the gateways should send to the canary, of 10,000.
        acknowledged_units: what they last said they do.
        deadline: when the phase has lasted too long, in seconds since 1970.
        held_from: the phase that a held rollout was in.
        retried: whether the present weights were already sent twice.
        number: how many rollouts there were, with this one.
        started_at, phase_since: when the rollout, and its present phase, began.
        observed_since: since when the weights are confirmed and undisturbed; None while they may be moving.
        next: what is started when this one has made room.
    """

    phase: Phase = Phase.IDLE
    revision: str | None = None
    steps: tuple[int, ...] = ()
    step: int = 0
    shadow: bool = False
    canary_ready: bool = False
    wanted_units: int = 0
    acknowledged_units: int = 0
    deadline: float | None = None
    held_from: Phase | None = None
    reason: str = ""
    retried: bool = False
    superseded_by: str | None = None
    cut_streams: int = 0
    left_streams: int = 0
    aborted: tuple[str, ...] = ()
    number: int = 0
    terms: Terms = Terms()
    started_at: float = 0.0
    phase_since: float = 0.0
    observed_since: float | None = None
    next: Started | None = None

    @property
    def stable_units(self) -> int:
        """What the gateways should send to the stable version."""
        return WHOLE - self.wanted_units


def longest(phase: Phase, terms: Terms) -> float | None:
    """How many seconds a phase may last under these terms; None for one that has no end."""
    own = {
        Phase.WARMING: DEADLINES[Phase.WARMING] + terms.preview_seconds,
        Phase.ACKED: max(DEADLINES[Phase.ACKED], terms.policy.blind_seconds),
        Phase.OBSERVING: terms.step_deadline_seconds,
        Phase.BAKING: terms.bake_seconds,
    }
    return own.get(phase, DEADLINES.get(phase))


def breaches(state: RolloutState) -> list[str]:
    """The invariants of section 2 that a state breaks; none for every state that transitions lead to."""
    rules = {
        "weights are between 0 and 10,000": 0 <= state.wanted_units <= WHOLE,
        "a canary that is not ready gets no traffic": state.canary_ready or state.wanted_units == 0,
        "a rollout that leaves wants no traffic for the canary": state.phase not in LEAVING or state.wanted_units == 0,
        "what is observed was acknowledged": state.phase is not Phase.OBSERVING
        or state.acknowledged_units == state.wanted_units,
        "the canary never gets more than its step": state.wanted_units <= _most_units(state),
        "every phase that waits has a deadline": (state.phase in DEADLINES) == (state.deadline is not None),
        "a held rollout knows where it stood": (state.phase is Phase.HELD) == (state.held_from is not None),
        "a rolled back canary has no traffic": state.phase is not Phase.ROLLED_BACK or state.acknowledged_units == 0,
    }
    return [rule for rule, holds in rules.items() if not holds]


def _most_units(state: RolloutState) -> int:
    return state.steps[state.step] if state.steps else 0
