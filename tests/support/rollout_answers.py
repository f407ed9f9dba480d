"""Answers of the rollout routes, as a controller gives them."""

from __future__ import annotations

from typing import Any

import msgspec

from podium.cli.rollout.progress import BEYOND
from podium.protocols.rollouts import (
    ArmCounts,
    EventBody,
    EventsAnswer,
    EvidenceBody,
    EvidencePoint,
    PlanAnswer,
    PlannedStep,
    RolloutAnswer,
    RolloutsAnswer,
    RolloutSummary,
    VerdictBody,
)
from support.fake_server import Canned

BEGAN = 1_800_000_000.0
CURRENT = "GET /control/rollouts/current"

_COUNTS = {"errors": {"stable": ArmCounts(attempts=1900, bad=9), "canary": ArmCounts(attempts=100, bad=2)}}
EVIDENCE = EvidenceBody(
    odds=3.25,
    highest_odds=4.5,
    alarm=100.0,
    by_metric={"errors": 3.25},
    metrics=_COUNTS,
    intervals=20,
    points=[
        EvidencePoint(at=BEGAN + 5 * n, share=25, odds=odds, stable=ArmCounts(), canary=ArmCounts())
        for n, odds in enumerate((1.0, 2.0, 4.5, 3.25))
    ],
)
HOLD = VerdictBody(
    word="HOLD",
    reason="evidence",
    sentence="needs 1,200 more canary requests, about 20 minutes at this traffic",
    needs_canary_requests=1200,
    about_minutes=20.0,
)
ROLLOUT = RolloutAnswer(
    number=3,
    last_seq=17,
    environment="green",
    stable="blue",
    revision="green-7",
    strategy="canary",
    judged_by="evidence",
    phase="observing",
    ended=False,
    steps=[5.0, 25.0, 50.0, 100.0],
    step=1,
    wanted=25.0,
    confirmed=25.0,
    started_at=BEGAN,
    phase_since=BEGAN + 100,
    deadline=BEGAN + 3700,
    waits_for=f"a verdict: {HOLD.sentence}; after 2027-01-15 09:01:40 UTC it is held",
    reason="",
    held_from=None,
    possible=["abort", "promote"],
    cut_streams=0,
    verdict=HOLD,
    evidence=EVIDENCE,
)
PLAN = PlanAnswer(
    environment="green",
    stable="blue",
    revision="green-7",
    strategy="canary",
    judged_by="evidence",
    steps=[
        PlannedStep(share=25, at_least_seconds=60, at_most_seconds=3600, canary_requests=1900, about_minutes=32.0),
        PlannedStep(share=100, at_least_seconds=60, at_most_seconds=3600),
    ],
    requests_per_second=4.0,
    stable_bad_rate=0.005,
    about_minutes=92.0,
    problems=[],
)


def rollout(phase: str = "observing", **changes: Any) -> RolloutAnswer:
    """A rollout of green over blue in its second step; ended phases are ended."""
    ended = phase in {"done", "rolled-back", "superseded"}
    fixed: dict[str, Any] = {"phase": phase, "ended": ended, **({"deadline": None, "possible": []} if ended else {})}
    return msgspec.structs.replace(ROLLOUT, **{**fixed, **changes})


def event(seq: int, kind: str, phase: str = "observing", number: int = 3, **details: Any) -> EventBody:
    """One line of the log of rollout ``number``."""
    return EventBody(
        seq=seq,
        at=BEGAN + seq,
        rollout=number,
        actor="controller",
        type=kind,
        details=details,
        phase=phase,
        hash=f"{seq:064x}",
    )


def canned(answer: Any, status: int = 200) -> Canned:
    """A wire value as an answer."""
    return Canned(msgspec.to_builtins(answer), status)


def log_of(*events: EventBody) -> dict[str, Canned]:
    """The routes that tell these events, whatever was heard before."""
    last = events[-1].seq if events else 0
    starts = [0, *(one.seq for one in events), BEYOND]
    return {
        f"GET /control/rollouts/events?after={after}": canned(
            EventsAnswer(events=[one for one in events if one.seq > after], last_seq=last)
        )
        for after in starts
    }


def refused(message: str, status: int = 409, code: str = "conflict") -> Canned:
    """An error of the control port."""
    return Canned({"error": {"message": message, "code": code, "request_id": "r1"}}, status)


def summary(number: int, phase: str, **changes: Any) -> RolloutSummary:
    """One rollout of the list."""
    facts: dict[str, Any] = {
        "number": number,
        "environment": "green",
        "revision": f"green-{number}",
        "strategy": "canary",
        "phase": phase,
        "reason": "",
        "started_at": BEGAN,
        "ended_at": BEGAN + 125,
        "highest_step": 25.0,
    }
    return RolloutSummary(**{**facts, **changes})


def listed(*summaries: RolloutSummary) -> dict[str, Canned]:
    """The list of rollouts."""
    return {"GET /control/rollouts": canned(RolloutsAnswer(rollouts=list(summaries)))}
