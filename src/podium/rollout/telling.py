"""A rollout in sentences: what it waits for, and what somebody may do about it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Literal

from podium.core.errors import Conflict
from podium.rollout.analysis.verdict import Verdict
from podium.rollout.course import Course
from podium.rollout.events import Aborted, Approved, Event, Skipped
from podium.rollout.looking import served_everything
from podium.rollout.state import ENDED, Phase, RolloutState

Decision = Literal["approve", "abort", "promote"]
_DECISIONS: dict[Decision, Event] = {
    "approve": Approved(at=0),
    "abort": Aborted(at=0, reason=""),
    "promote": Skipped(at=0),
}
_WAITS = {
    Phase.PREPARING: "every server of {environment} has to pass its check",
    Phase.WARMING: "{environment} has to answer through the gateway",
    Phase.SHADOWING: "answers to copied requests have to agree",
    Phase.APPLYING: "every gateway has to confirm {wanted:g} % for {environment}",
    Phase.ACKED: "requests have to arrive at {environment} and at {stable}, in the declared shares",
    Phase.BAKING: "{environment} has all traffic and {stable} stays hot for a while",
    Phase.DRAINING: "the last requests on {stable} have to end",
    Phase.ABORTING: "every gateway has to confirm 0 % for {environment}",
    Phase.DRAINING_CANARY: "the last requests on {environment} have to end",
}
_AFTERWARDS = {
    Phase.PREPARING: "it is aborted",
    Phase.WARMING: "it is held",
    Phase.SHADOWING: "it is held",
    Phase.APPLYING: "the weights before are restored and it is held",
    Phase.ACKED: "it is held",
    Phase.OBSERVING: "it is held",
    Phase.BAKING: "the old version is let go",
    Phase.DRAINING: "they are not waited for any longer",
    Phase.DRAINING_CANARY: "they are not waited for any longer",
    Phase.HELD: "it is aborted",
}


def waits_for(course: Course, verdict: Verdict | None, trouble: str, *, now: float) -> str:
    """What has to happen next, and when it is too late; empty for a rollout that has ended."""
    state = course.state
    if state.phase in ENDED:
        return ""
    parts = [_next(course, verdict, now)]
    if state.deadline is not None and state.phase in _AFTERWARDS:
        parts.append(f"after {_clock(state.deadline)} {_AFTERWARDS[state.phase]}")
    if state.next is not None:
        parts.append(f"then {state.next.revision} is started")
    if trouble:
        parts.append(f"in the way: {trouble}")
    return "; ".join(parts)


def possible(state: RolloutState) -> list[Decision]:
    """What somebody may decide now."""
    return [word for word, event in _DECISIONS.items() if _can(state, event)]


def _next(course: Course, verdict: Verdict | None, now: float) -> str:
    state, terms = course.state, course.state.terms
    if state.phase is Phase.OBSERVING:
        return "a verdict" if verdict is None else f"a verdict: {verdict.sentence}"
    if state.phase is Phase.SHADOWING and verdict is not None:
        return f"{_WAITS[state.phase]}: {verdict.sentence}"
    if state.phase is Phase.HELD:
        proof = {Phase.OBSERVING: ", or proof", Phase.ACKED: ", or requests on both sides"}
        return f"somebody has to approve or abort{proof.get(state.held_from or Phase.IDLE, '')}"
    if state.phase is Phase.BAKING and state.deadline is not None and now >= state.deadline:
        return "servers have to be seen" if served_everything(course) else "no traffic: a request has to come first"
    if state.phase is Phase.WARMING and terms.preview_seconds:
        return f"{terms.environment} can be looked at with x-podium-arm for {terms.preview_seconds:g} s"
    wanted = state.wanted_units / 100
    return _WAITS[state.phase].format(environment=terms.environment, stable=terms.stable, wanted=wanted)


def _can(state: RolloutState, event: Event) -> bool:
    if state.phase in ENDED:
        return False
    try:
        return Course(state=state).after(event).state is not state
    except Conflict:
        return False


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
