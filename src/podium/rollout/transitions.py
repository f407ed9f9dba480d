"""What follows from what: one table from phase and event to the next state (rollout specification, section 2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from podium.core.errors import Conflict
from podium.rollout.events import (
    Aborted,
    Acknowledged,
    Approved,
    CanaryReady,
    CanaryUnready,
    DeadlinePassed,
    Drained,
    Event,
    Judged,
    ShadowAgreed,
    Skipped,
    SplitAgreed,
    Started,
    Superseded,
    Warmed,
)
from podium.rollout.state import ENDED, LEAVING, WHOLE, Phase, RolloutState, longest

_Move = Callable[[RolloutState, Any], RolloutState]


def after(state: RolloutState, event: Event) -> RolloutState:
    """The state once ``event`` has happened. Pure: replaying the same events gives the same state.

    Raises:
        Conflict: the event cannot happen in this phase, or names what was never sent.
    """
    move = _TABLE.get((state.phase, type(event))) or _ANYWHERE.get(type(event))
    if move is None or (state.phase in ENDED and not isinstance(event, Started)):
        possible = sorted(str(kind.__struct_config__.tag) for phase, kind in _TABLE if phase is state.phase)
        raise Conflict(
            f"{type(event).__struct_config__.tag} cannot happen while a rollout is {state.phase}; "
            f"possible: {', '.join(possible) or 'nothing'}"
        )
    return move(state, event)


def _enter(state: RolloutState, phase: Phase, at: float, **changes: Any) -> RolloutState:
    """Another phase, with its deadline."""
    seconds = longest(phase, state.terms)
    deadline = None if seconds is None else at + seconds
    facts = {"phase": phase, "phase_since": at, "deadline": deadline, "held_from": None, **changes}
    return msgspec.structs.replace(state, **facts)


def _start(state: RolloutState, event: Started) -> RolloutState:
    if event.revision in state.aborted:
        raise Conflict(
            f"revision {event.revision} was aborted and is not tried again; give the mended one another name"
        )
    pairs = zip((0, *event.steps), event.steps, strict=False)
    if not event.steps or event.steps[-1] != WHOLE or not all(before < later for before, later in pairs):
        raise Conflict(f"steps {event.steps} of {WHOLE:,} units; needed: increasing from above 0 to {WHOLE:,}")
    fresh = RolloutState(
        revision=event.revision,
        steps=event.steps,
        shadow=event.shadow,
        aborted=state.aborted,
        number=state.number + 1,
        terms=event.terms,
        started_at=event.at,
    )
    return _enter(fresh, Phase.PREPARING, event.at)


def _ready(state: RolloutState, event: CanaryReady) -> RolloutState:
    return _enter(state, Phase.WARMING, event.at, canary_ready=True)


def _warmed(state: RolloutState, event: Warmed | Approved) -> RolloutState:
    return _enter(state, Phase.SHADOWING, event.at) if state.shadow else _apply(state, event.at, 0)


def _apply(state: RolloutState, at: float, step: int) -> RolloutState:
    changes = {"step": step, "wanted_units": state.steps[step], "retried": False, "reason": "", "observed_since": None}
    return _enter(state, Phase.APPLYING, at, **changes)


def _acknowledged(state: RolloutState, event: Acknowledged) -> RolloutState:
    if event.canary_units != state.wanted_units:
        raise Conflict(f"{event.canary_units} units were acknowledged, {state.wanted_units} are wanted; wait for those")
    phase = Phase.BAKING if state.wanted_units == WHOLE else Phase.ACKED
    return _enter(state, phase, event.at, acknowledged_units=event.canary_units, observed_since=event.at)


def _judged(state: RolloutState, event: Judged) -> RolloutState:
    if event.verdict == "ROLLBACK":
        return _abort(state, event.at, event.reason)
    return _apply(state, event.at, state.step + 1)  # there is one: the last step bakes and is not observed


def _hold(reason: str) -> _Move:
    def move(state: RolloutState, event: Event) -> RolloutState:
        return _enter(state, Phase.HELD, event.at, held_from=state.phase, reason=reason)

    return move


def _not_acknowledged(state: RolloutState, event: DeadlinePassed) -> RolloutState:
    """Send once more; then go back to what was acknowledged last, and hold."""
    if not state.retried:
        return _enter(state, Phase.APPLYING, event.at, retried=True)
    told = f": {event.because}" if event.because else ""
    held = _hold(f"not acknowledged by every gateway{told}")(state, event)
    since = event.at if state.acknowledged_units else None
    return msgspec.structs.replace(held, wanted_units=state.acknowledged_units, observed_since=since)


def _not_ready(state: RolloutState, event: DeadlinePassed) -> RolloutState:
    because = f": {event.because}" if event.because else ""
    return _abort(state, event.at, f"the canary was not ready in time{because}")


def _not_compared(state: RolloutState, event: DeadlinePassed) -> RolloutState:
    return _hold(event.because or "answers were not compared in time")(state, event)


def _approved(state: RolloutState, event: Approved) -> RolloutState:
    """Go on as if what was waited for had happened."""
    if state.held_from is Phase.WARMING:
        return _warmed(state, event)
    if state.held_from is Phase.ACKED:
        return _enter(state, Phase.OBSERVING, event.at, reason="")
    step = state.step + 1 if state.held_from is Phase.OBSERVING else state.step
    return _apply(state, event.at, step)


def _rollback_only(state: RolloutState, event: Judged) -> RolloutState:
    if event.verdict != "ROLLBACK":
        raise Conflict(f"ADVANCE cannot happen while a rollout is {state.phase}; it counts while observing")
    return _abort(state, event.at, event.reason)


def _judged_while_held(state: RolloutState, event: Judged) -> RolloutState:
    if event.verdict == "ROLLBACK" or state.held_from is Phase.OBSERVING:
        return _judged(state, event)
    raise Conflict(f"ADVANCE cannot end a hold that began while {state.held_from}; approve or abort it")


def _seen_while_held(state: RolloutState, event: SplitAgreed) -> RolloutState:
    """Attempts have come after all."""
    if state.held_from is not Phase.ACKED:
        raise Conflict(f"split-agreed cannot end a hold that began while {state.held_from}; approve or abort it")
    return _enter(state, Phase.OBSERVING, event.at, reason="")


def _skip(state: RolloutState, event: Skipped) -> RolloutState:
    if not state.canary_ready or state.phase in LEAVING | {Phase.BAKING, Phase.DRAINING}:
        raise Conflict(f"nothing can be skipped while a rollout is {state.phase}")
    return _apply(state, event.at, len(state.steps) - 1)


def _abort(state: RolloutState, at: float, reason: str) -> RolloutState:
    return _enter(state, Phase.ABORTING, at, wanted_units=0, reason=reason, observed_since=None)


def _abort_wanted(state: RolloutState, event: Aborted) -> RolloutState:
    return state if state.phase in LEAVING else _abort(state, event.at, event.reason)


def _supersede(state: RolloutState, event: Superseded) -> RolloutState:
    """What was rolled back already stays refused, also when something else is started after it."""
    aborted = state.aborted
    if state.phase in LEAVING and state.superseded_by is None:
        aborted = (*aborted, state.revision or "")
    leaving = state if state.phase in LEAVING else _abort(state, event.at, f"superseded by {event.by}")
    return msgspec.structs.replace(leaving, superseded_by=event.by, next=event.next, aborted=aborted)


def _unready(state: RolloutState, event: CanaryUnready) -> RolloutState:
    known = msgspec.structs.replace(state, canary_ready=False)
    return known if state.phase in LEAVING else _abort(known, event.at, "the canary has no ready replica")


def _aborted_acknowledged(state: RolloutState, event: Acknowledged) -> RolloutState:
    if event.canary_units:
        raise Conflict(f"{event.canary_units} units were acknowledged, 0 are wanted; wait for those")
    return _enter(state, Phase.DRAINING_CANARY, event.at, acknowledged_units=0)


def _canary_drained(state: RolloutState, event: Drained) -> RolloutState:
    """The end: a revision that was aborted is remembered, one that made room for a newer one is not."""
    gone = {"cut_streams": state.cut_streams + event.cut, "left_streams": event.left, "canary_ready": False}
    if state.superseded_by is not None:
        return _enter(state, Phase.SUPERSEDED, event.at, **gone)
    return _enter(state, Phase.ROLLED_BACK, event.at, **gone, aborted=(*state.aborted, state.revision or ""))


def _to(phase: Phase) -> _Move:
    return lambda state, event: _enter(state, phase, event.at)


def _done(state: RolloutState, event: Drained) -> RolloutState:
    cut = state.cut_streams + event.cut
    return _enter(state, Phase.DONE, event.at, cut_streams=cut, left_streams=event.left, observed_since=None)


def _stay(state: RolloutState, event: Event) -> RolloutState:
    """A deadline that only raises an alarm: the phase goes on trying."""
    return _enter(state, state.phase, event.at)


_TABLE: dict[tuple[Phase, type[Event]], _Move] = {
    **{(phase, Started): _start for phase in ENDED},
    (Phase.PREPARING, CanaryReady): _ready,
    (Phase.PREPARING, CanaryUnready): lambda state, _: state,
    (Phase.PREPARING, DeadlinePassed): _not_ready,
    (Phase.WARMING, Warmed): _warmed,
    (Phase.WARMING, DeadlinePassed): _hold("no answers through the gateway in time"),
    (Phase.SHADOWING, ShadowAgreed): lambda state, event: _apply(state, event.at, 0),
    (Phase.SHADOWING, Judged): _rollback_only,
    (Phase.SHADOWING, DeadlinePassed): _not_compared,
    (Phase.APPLYING, Acknowledged): _acknowledged,
    (Phase.APPLYING, DeadlinePassed): _not_acknowledged,
    (Phase.ACKED, SplitAgreed): _to(Phase.OBSERVING),
    (Phase.ACKED, Judged): _rollback_only,
    (Phase.ACKED, DeadlinePassed): _hold("blind: attempts do not arrive as declared"),
    (Phase.OBSERVING, Judged): _judged,
    (Phase.OBSERVING, DeadlinePassed): _hold("no verdict in time"),
    (Phase.BAKING, DeadlinePassed): _to(Phase.DRAINING),
    (Phase.BAKING, Judged): _rollback_only,
    (Phase.DRAINING, Drained): _done,
    (Phase.DRAINING, DeadlinePassed): _stay,
    (Phase.HELD, Approved): _approved,
    (Phase.HELD, SplitAgreed): _seen_while_held,
    (Phase.HELD, Judged): _judged_while_held,
    (Phase.HELD, DeadlinePassed): lambda state, event: _abort(state, event.at, "held too long"),
    (Phase.ABORTING, Acknowledged): _aborted_acknowledged,
    (Phase.ABORTING, DeadlinePassed): _stay,
    (Phase.DRAINING_CANARY, Drained): _canary_drained,
    (Phase.DRAINING_CANARY, DeadlinePassed): _stay,
}
_ANYWHERE: dict[type[Event], _Move] = {
    Aborted: _abort_wanted,
    Superseded: _supersede,
    CanaryUnready: _unready,
    Skipped: _skip,
}
