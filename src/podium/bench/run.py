"""One run, from a plan to a result: calibrate, send, read, judge.

The server is warmed by the run's own warm-up. Nothing is printed and nothing is written; see ``result.save``.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from podium.bench.calibration import calibrate
from podium.bench.dialects import dialect_of
from podium.bench.figures import counts_of, summarise
from podium.bench.fleet import Fleet, Sent
from podium.bench.plan import RunPlan, check
from podium.bench.progress import Progress
from podium.bench.provenance import machine, provenance_of
from podium.bench.record import RequestRecord
from podium.bench.result import Calibration, Invalidity, Reason, RunResult
from podium.bench.validity import reasons

NOT_STREAMED = (
    "the answers were not streamed: TTFT, TPOT and ITL are not defined for them; end to end is until the last byte"
)


@dataclass
class Run:
    """A run that can be watched and stopped. ``stop`` keeps what was measured; it may come at any time."""

    plan: RunPlan
    name: str = "run"
    command: Sequence[str] = ()
    watch: Callable[[Progress], None] | None = None
    told: Callable[[str], None] | None = None  # gets a word at the start of each part: calibrating, sending, reading
    tags: dict[str, str] = field(default_factory=dict)
    stopped: bool = False
    _fleet: Fleet | None = None
    _calibrating: asyncio.Task[Calibration] | None = None

    async def go(self) -> tuple[RunResult, list[RequestRecord]]:
        """Do all of it. Cancellation kills the workers and loses what they measured.

        Raises ``InvalidRequest`` for a plan that contradicts itself, ``Unavailable`` when a worker does not start.
        """
        plan = check(self.plan)
        host = machine()
        calibration = await self._calibrate() if plan.calibrate and not self.stopped else None
        self._tell("sending")
        self._fleet = Fleet(plan, self.watch)
        if self.stopped:
            self._fleet.stop()
        sent = await self._fleet.run()
        self._tell("reading")
        facts = provenance_of(plan, self.command, sent.started_unix, host)
        summary = summarise(sent.records, plan)
        client = _client(plan, sent)
        invalid = [*_of_the_run(sent), *reasons(plan, sent.records, summary, calibration, client)]
        result = RunResult(
            name=self.name,
            plan=plan.without_secrets(),
            provenance=facts,
            counts=counts_of(sent.records),
            seconds=_seconds(sent.records),
            invalid=invalid,
            summary=None if invalid else summary,
            calibration=calibration,
            client=client,
            notes=[] if dialect_of(plan.target).streams else [NOT_STREAMED],
            tags=self.tags,
        )
        return result, sent.records

    def stop(self) -> None:
        """End it early; ``go`` then returns what there is, stamped as interrupted."""
        self.stopped = True
        if self._calibrating is not None:
            self._calibrating.cancel()
        if self._fleet is not None:
            self._fleet.stop()

    async def _calibrate(self) -> Calibration | None:
        self._tell("calibrating")
        async with asyncio.TaskGroup() as group:
            self._calibrating = group.create_task(calibrate(self.plan), name="calibration")
        task, self._calibrating = self._calibrating, None
        return None if task.cancelled() else task.result()

    def _tell(self, word: str) -> None:
        if self.told is not None:
            self.told(word)


def replan(plan: RunPlan, **changes: object) -> RunPlan:
    """The plan with members changed."""
    return msgspec.structs.replace(plan, **changes)


def _of_the_run(sent: Sent) -> list[Invalidity]:
    found = []
    if sent.stopped:
        found.append(Invalidity(reason=Reason.INTERRUPTED, detail="the run was interrupted before its end"))
    if sent.lost:
        numbers = ", ".join(map(str, sent.lost))
        detail = f"worker {numbers} ended without its measurements; its own message is above"
        found.append(Invalidity(reason=Reason.WORKER_LOST, detail=detail))
    return found


def _seconds(records: Sequence[RequestRecord]) -> float:
    begin = min((record.scheduled_at for record in records), default=0.0)
    end = max((r.ended_at for r in records if r.ended_at is not None), default=math.nan)
    return 0.0 if math.isnan(end) else end - begin


def _client(plan: RunPlan, sent: Sent) -> dict[str, float]:
    """What the load generator did itself: of the workers, the one that was worst."""
    return {
        "workers": plan.workers,
        "worker_cpu_ratio": max((worker.cpu_ratio for worker in sent.finished), default=0.0),
        "loop_lag_most": max((worker.loop_lag_most for worker in sent.finished), default=0.0),
        "loop_lag_p99": max((worker.loop_lag_p99 for worker in sent.finished), default=0.0),
    }
