"""Ways that rollouts can go, as events: together they make every transition of the table."""

from __future__ import annotations

from podium.rollout import events as e
from podium.rollout.state import Phase, RolloutState
from podium.rollout.transitions import after

STEPS = (500, 10_000)


def observed(units: int, verdict: e.Event | None) -> list[e.Event]:
    return [e.Acknowledged(at=3, canary_units=units), e.SplitAgreed(at=4), *([verdict] if verdict else [])]


BEGIN: list[e.Event] = [e.Started(at=0, revision="v2", steps=STEPS), e.CanaryReady(at=1), e.Warmed(at=2)]
GOOD: list[e.Event] = [
    *BEGIN,
    *observed(500, e.Judged(at=5, verdict="ADVANCE", reason="certified")),
    e.Acknowledged(at=6, canary_units=10_000),
    e.DeadlinePassed(at=7),
    e.Drained(at=8),
]
BAD: list[e.Event] = [
    *BEGIN,
    *observed(500, e.Judged(at=5, verdict="ROLLBACK", reason="errors")),
    e.Acknowledged(at=6, canary_units=0),
    e.Drained(at=7),
]
HELD: list[e.Event] = [
    *BEGIN,
    e.DeadlinePassed(at=12),
    e.DeadlinePassed(at=22),
    e.Approved(at=30),
    *observed(500, None),
    e.DeadlinePassed(at=3700),
    e.Superseded(at=3800, by="v3"),
    e.DeadlinePassed(at=3810),
    e.Acknowledged(at=3811, canary_units=0),
    e.Drained(at=3900, cut=1),
]
ROLLBACK = e.Judged(at=5, verdict="ROLLBACK", reason="errors")
LATE = e.DeadlinePassed(at=9)
SHADOW: list[e.Event] = [e.Started(at=0, revision="v2", steps=STEPS, shadow=True), *BEGIN[1:]]
NEXT = e.Started(at=50, revision="v3", steps=STEPS)
GONE: list[e.Event] = [e.Acknowledged(at=6, canary_units=0), LATE, e.Drained(at=7), NEXT]
# Together they make every transition of the table at least once.
WAYS: dict[str, list[e.Event]] = {
    "good": [*GOOD, NEXT],
    "bad": [*BAD, NEXT, LATE],
    "held": [*HELD, NEXT],
    "late": [SHADOW[0], e.CanaryUnready(at=1), SHADOW[1], LATE, e.Approved(at=10), LATE, e.Approved(at=11)],
    "blind": [*BEGIN, e.Acknowledged(at=3, canary_units=500), LATE, e.Approved(at=10), ROLLBACK],
    "seen": [*BEGIN, e.Acknowledged(at=3, canary_units=500), LATE, e.SplitAgreed(at=10)],
    "acked": [*SHADOW, e.ShadowAgreed(at=3), e.Acknowledged(at=3, canary_units=500), ROLLBACK, *GONE],
    "shadow": [*SHADOW, ROLLBACK, *GONE],
    "baking": [*GOOD[:7], ROLLBACK],
    "leaving": [*GOOD[:8], LATE, GOOD[8]],
    "proven": [*BEGIN, *observed(500, LATE), e.Judged(at=10, verdict="ADVANCE", reason="certified")],
    "forgotten": [*BEGIN, *observed(500, LATE), LATE],
    "by hand": [*BEGIN, e.Skipped(at=3), e.CanaryUnready(at=4)],
    "away": [*BEGIN, e.Aborted(at=3, reason="by hand")],
}


def first_transitions() -> dict[tuple[Phase, type[e.Event]], tuple[str, int]]:
    """Where each transition is made for the first time."""
    found: dict[tuple[Phase, type[e.Event]], tuple[str, int]] = {}
    for way, events in WAYS.items():
        state = RolloutState()
        for number, event in enumerate(events):
            found.setdefault((state.phase, type(event)), (way, number))
            state = after(state, event)
    return found


TRANSITIONS = first_transitions()
