"""Small plans for tests of the load tester, and a run of one."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from podium.bench.fleet import Fleet, Sent
from podium.bench.plan import Length, Load, RunPlan, Target, Timeouts, Words, Workload
from podium.bench.record import Outcome, RequestRecord

WORDS = Words(unit="word", words=["time", "year", "people", "way"], overhead=0, source="the test")
DEADLINE_SECONDS = 60.0


def plan_for(url: str, *, requests: int = 8, users: int = 4, tokens: int = 6, **changes: Any) -> RunPlan:
    """A closed loop of a few short requests, without warm-up and calibration."""
    plan = RunPlan(
        target=Target(url=url, model="simulated", dialect="completions"),
        load=Load(kind="closed", seconds=DEADLINE_SECONDS, concurrency=users, most_requests=requests),
        workload=Workload(prompt=Length(mean=5), output=Length(mean=tokens)),
        words=WORDS,
        timeouts=Timeouts(connect=5.0, headers=10.0, stall=10.0, total=30.0),
        warm_up_seconds=0.0,
        calibrate=False,
    )
    return msgspec.structs.replace(plan, **changes)


def send(plan: RunPlan) -> Sent:
    """Run the workers of a plan, and nothing else."""
    return asyncio.run(asyncio.wait_for(Fleet(plan).run(), DEADLINE_SECONDS))


def answered(index: int, scheduled_at: float, stamps: Sequence[float], **changes: Any) -> RequestRecord:
    """A good request: sent a millisecond late, one token at each of ``stamps``."""
    record = RequestRecord(
        index=index,
        scheduled_at=scheduled_at,
        begun_at=scheduled_at + 0.001,
        sent_at=scheduled_at + 0.001,
        first_token_at=stamps[0],
        first_output_at=stamps[0],
        token_at=list(stamps),
        frames=len(stamps),
        last_token_at=stamps[-1],
        ended_at=stamps[-1] + 0.002,
        outcome=Outcome.OK,
        output_tokens_asked=len(stamps),
        output_tokens_reported=len(stamps),
        prompt_tokens_reported=7,
    )
    return msgspec.structs.replace(record, **changes)
