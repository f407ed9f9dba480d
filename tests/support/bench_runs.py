"""Runs of the load tester made by hand: results with given figures, and requests with given times."""

from __future__ import annotations

import json
import typing
from collections.abc import Sequence
from typing import Any

from podium.bench.figures import counts_of, summarise
from podium.bench.phases import Phases, phases_of
from podium.bench.plan import Load, RunPlan, Target
from podium.bench.record import Outcome, RequestRecord
from podium.bench.result import Invalidity, Provenance, RunResult
from podium.bench.summary import Counts, Distribution, Percentile, Summary, Window
from podium.bench.summary import Load as Delivered

EMPTY = Distribution()
_DISTRIBUTIONS = tuple(name for name, kind in typing.get_type_hints(Summary).items() if kind is Distribution)
_RATES = ("request_throughput", "completed_per_second", "output_throughput", "prompt_throughput")
PLAN = RunPlan(
    target=Target(url="http://127.0.0.1:1", model="m"),
    load=Load(kind="poisson", rate=10.0, seconds=30.0),
    warm_up_seconds=2.0,
)


def provenance(started_at: str = "2026-11-27T12:00:00.000+00:00") -> Provenance:
    """Where a made-up run comes from."""
    return Provenance(
        started_at=started_at,
        command=["podium", "bench", "run", "--rate", "10"],
        podium_version="0.1.0",
        python_version="3.11.9",
        seed=1,
        target="http://127.0.0.1:1",
        model="m",
        dialect="completions",
    )


def level(value: float) -> Distribution:
    """A distribution all of whose percentiles are ``value``."""
    return Distribution(
        count=100, mean=value, percentiles=[Percentile(percent=p, value=value) for p in (50, 90, 95, 99)]
    )


def run_with(
    *, started_at: str = "2026-11-27T12:00:00", invalid: Sequence[Invalidity] = (), plan: Any = None, **figures: Any
) -> RunResult:
    """A run with these members of its summary (numbers are levels of distributions); others are empty."""
    members: dict[str, Any] = dict.fromkeys(_DISTRIBUTIONS, EMPTY) | dict.fromkeys(_RATES, 0.0)
    for name, value in figures.items():
        members[name] = level(value) if name in _DISTRIBUTIONS else value
    window = Window(begin=0, end=30, stationary=True)
    summary = Summary(window=window, counts=Counts(offered=1, ok=1), load=Delivered(), **members)
    return RunResult(
        name="made up",
        plan=plan or {"load": "the same"},
        provenance=provenance(started_at),
        counts=summary.counts,
        seconds=30,
        invalid=list(invalid),
        summary=None if invalid else summary,
    )


def request(at: float, ttft: float = 0.05, *, index: int = 0, tokens: int = 5, **changes: Any) -> RequestRecord:
    """A request that was scheduled ``at`` and went well: its tokens come 10 ms apart."""
    stamps = [at + ttft + 0.01 * number for number in range(tokens)]
    fields: dict[str, Any] = {
        "index": index,
        "request_id": f"req-{index}",
        "scheduled_at": at,
        "begun_at": at,
        "sent_at": at + 0.001,
        "headers_at": at + ttft,
        "first_token_at": stamps[0],
        "first_output_at": stamps[0],
        "token_at": stamps,
        "last_token_at": stamps[-1],
        "ended_at": stamps[-1] + 0.001,
        "outcome": Outcome.OK,
        "status": 200,
        "output_tokens_reported": tokens,
        "frames": tokens,
        "warm_up": at < PLAN.warm_up_seconds,
    }
    return RequestRecord(**(fields | changes))


def run_of(records: Sequence[RequestRecord], *, invalid: Sequence[Invalidity] = (), name: str = "made up") -> RunResult:
    """The result that a run of ``PLAN`` with these requests has."""
    return RunResult(
        name=name,
        plan=PLAN.without_secrets(),
        provenance=provenance(),
        counts=counts_of(records),
        seconds=32.0,
        invalid=list(invalid),
        summary=None if invalid else summarise(records, PLAN),
    )


def made_up_phases(records: Sequence[RequestRecord]) -> Phases:
    """Where the time of these requests went, by logs of a server and of a gateway that know each of them."""
    parts = {"api_seconds": 0.002, "queue_seconds": 0.005, "prefill_seconds": 0.03, "decode_seconds": 0.04}
    entry = {"event": "request", "route": "/v1/completions", "outcome": "ok", "flush_seconds": 0.001, **parts}
    whole = {"e2e_seconds": 0.078, "prompt_tokens": 5, "output_tokens": 5, "ts": "2026-11-27T12:00:00Z"}
    passage = {"event": "gateway request", "total_us": 80_000, "server_us": 79_000}
    told = [{**said, "request_id": one.request_id} for one in records for said in ({**entry, **whole}, passage)]
    log = [json.dumps(line) for line in told]
    return phases_of(records, log, log)
