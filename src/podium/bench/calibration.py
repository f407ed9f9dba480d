"""Before a run: what these workers reach on this machine when the server costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator

import msgspec
import numpy as np

from podium.bench.arrivals import schedule
from podium.bench.fleet import Fleet
from podium.bench.plan import Length, Load, RunPlan, Target, Workload
from podium.bench.record import Outcome, RequestRecord
from podium.bench.result import Calibration
from podium.bench.statistics import distribution
from podium.core.errors import Unavailable

SECONDS = 3.0
WARM_UP_SECONDS = 0.5
MOST_OUTPUT_TOKENS = 256
DEFAULT_PROMPT_TOKENS = 128
BYTES_PER_TOKEN = 5


async def calibrate(plan: RunPlan) -> Calibration:
    """Drive a no-op server for three seconds, at the highest rate that the plan asks for or with all its users.

    Cancellation stops both. Raises ``Unavailable`` when the no-op server does not start.
    """
    async with noop_server() as url:
        own = calibration_plan(plan, url)
        sent = await Fleet(own).run()
    offered = [record for record in sent.records if not record.warm_up]
    begun = [r.begun_at for r in offered if r.begun_at is not None]
    reached = len(begun) / max(SECONDS, _last(begun) - WARM_UP_SECONDS)
    asked = len(schedule(own)[0][schedule(own)[1] >= 0]) / SECONDS if plan.load.open_loop else None
    ok = [record for record in offered if record.outcome is Outcome.OK]
    return Calibration(
        asked_per_second=asked,
        reached_per_second=reached if len(ok) == len(offered) else len(ok) / SECONDS,
        schedule_delay_p99=distribution([_delay(r) for r in offered if r.begun_at is not None]).at(99),
        seconds=SECONDS,
        ttft_p50=distribution([r.first_token_at - r.sent_at for r in ok if r.first_token_at and r.sent_at]).at(50),
        worker_cpu_ratio=max((worker.cpu_ratio for worker in sent.finished), default=0.0),
    )


def calibration_plan(plan: RunPlan, url: str) -> RunPlan:
    """The same workers and lengths against ``url``, for a short time."""
    if plan.load.open_loop:
        load = Load(kind="poisson", seconds=SECONDS, rate=highest_rate(plan))
    else:
        load = Load(kind="closed", seconds=SECONDS, concurrency=plan.load.concurrency)
    work = plan.workload
    output = work.output.mean if work.kind != "trace" else round(np.mean([t.output_tokens for t in work.turns]))
    text = "a" * (BYTES_PER_TOKEN * prompt_tokens(plan))
    calm = Workload(kind="texts", texts=[text], output=Length(mean=max(1, min(output, MOST_OUTPUT_TOKENS))))
    return msgspec.structs.replace(
        plan,
        target=Target(url=url, model="noop", dialect=plan.target.dialect, streamed=plan.target.streamed),
        load=load,
        workload=calm,
        warm_up_seconds=WARM_UP_SECONDS,
        drain_seconds=5.0,
    )


def prompt_tokens(plan: RunPlan) -> int:
    """The usual length of a prompt of the plan, for a body of about that size."""
    work = plan.workload
    if work.kind == "synthetic":
        return work.prompt.mean
    if work.kind == "trace":
        return max(1, round(float(np.mean([turn.prompt_tokens for turn in work.turns]))))
    texts = work.texts or [message["content"] for chat in work.chats for message in chat]
    return max(1, round(sum(map(len, texts)) / len(texts) / BYTES_PER_TOKEN)) if texts else DEFAULT_PROMPT_TOKENS


def highest_rate(plan: RunPlan) -> float:
    """Requests per second of the busiest part of the plan (of the busiest second, for a trace)."""
    load = plan.load
    if load.kind == "trace":
        times = schedule(plan)[0]
        return float(np.bincount(times.astype(int)).max())
    rates = [rate for rate, _ in load.stages] if load.kind == "stages" else [load.rate]
    return max([*rates, load.end_rate] if load.kind in {"ramp", "spike"} else rates)


@contextlib.asynccontextmanager
async def noop_server() -> AsyncIterator[str]:
    """A no-op server in a process of its own; yields its address."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "podium.bench.noop",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None  # noqa: S101 - this is a bug: opened with a pipe
        line = await process.stdout.readline()
        if not line.strip().isdigit():
            raise Unavailable("the no-op server for the calibration did not start; its own message is above")
        yield f"http://127.0.0.1:{int(line)}"
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


def _last(stamps: list[float]) -> float:
    return max(stamps, default=0.0)


def _delay(record: RequestRecord) -> float:
    return (record.begun_at or 0.0) - record.scheduled_at
