"""A result in the shapes of other tools, so that their readers can read it.

Only figures that may be believed are exported: a run that is INVALID has none, and is refused.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from podium.bench.record import RequestRecord
from podium.bench.result import RunResult
from podium.bench.summary import Distribution, Summary
from podium.core.errors import Conflict, InvalidRequest

LLM_D_VERSION = "0.2.1"
MS = 1000.0
_LLM_D_NAMES = {50.0: "p50", 90.0: "p90", 95.0: "p95", 99.0: "p99", 99.9: "p99p9"}


def llm_d(result: RunResult) -> dict[str, Any]:
    """Version 0.2.1 of llm-d's benchmark report. Latencies are from sending, in seconds."""
    found = _summary(result)
    begun = datetime.fromisoformat(result.provenance.started_at)
    tokens = found.output_throughput + found.prompt_throughput
    latency = {
        "time_to_first_token": _statistics(found.ttft_sent, "s"),
        "time_per_output_token": _statistics(found.tpot, "s/token"),
        "normalized_time_per_output_token": _statistics(found.ntpot, "s/token"),
        "inter_token_latency": _statistics(found.itl, "s/token"),
        "request_latency": _statistics(found.e2e_sent, "s"),
    }
    latency = {name: figure for name, figure in latency.items() if figure is not None}  # not defined: left out
    requests = {
        "total": found.counts.offered,
        "failures": found.counts.failed,
        "incomplete": found.counts.cancelled + found.counts.unfinished,
        "input_length": _statistics(found.prompt_tokens, "count"),
        "output_length": _statistics(found.output_tokens, "count"),
    }
    throughput = {
        "input_token_rate": {"units": "tokens/s", "mean": found.prompt_throughput},
        "output_token_rate": {"units": "tokens/s", "mean": found.output_throughput},
        "total_token_rate": {"units": "tokens/s", "mean": tokens},
        "request_rate": {"units": "queries/s", "mean": found.request_throughput},
    }
    aggregate = {"requests": requests, "latency": latency, "throughput": throughput}
    return {
        "version": LLM_D_VERSION,
        "run": {
            "uid": f"{result.name}-{result.provenance.started_at}",
            "time": {
                "start": begun.isoformat(),
                "end": (begun + timedelta(seconds=result.seconds)).isoformat(),
                "duration": f"PT{result.seconds:.3f}S",
            },
            "description": f"podium {result.provenance.podium_version}, {result.provenance.model} "
            f"at {result.provenance.target}, seed {result.provenance.seed}",
        },
        "results": {"request_performance": {"aggregate": aggregate}},
    }


def vllm_bench(result: RunResult) -> dict[str, Any]:
    """The members that ``vllm bench serve`` writes. Latencies are from sending, in milliseconds."""
    found = _summary(result)
    count = found.counts.ok
    members: dict[str, Any] = {
        "date": result.provenance.started_at,
        "backend": result.provenance.dialect,
        "model_id": result.provenance.model,
        "num_prompts": found.counts.offered,
        "request_rate": found.load.asked_per_second if found.load.asked_per_second is not None else "inf",
        "max_concurrency": result.plan["load"]["concurrency"] if result.plan["load"]["kind"] == "closed" else None,
        "duration": found.window.seconds,
        "completed": count,
        "failed": found.counts.failed,
        "total_input_tokens": round((found.prompt_tokens.mean or 0) * found.prompt_tokens.count),
        "total_output_tokens": round((found.output_tokens.mean or 0) * found.output_tokens.count),
        "request_throughput": found.request_throughput,
        "request_goodput": found.goodput.per_second if found.goodput is not None else None,
        "output_throughput": found.output_throughput,
        "total_token_throughput": found.output_throughput + found.prompt_throughput,
    }
    series = {"ttft": found.ttft_sent, "tpot": found.tpot, "itl": found.itl, "e2el": found.e2e_sent}
    for name, samples in series.items():
        members |= _milliseconds(name, samples)
    return members


def requests_csv(records: Sequence[RequestRecord], path: Path) -> None:
    """One row a request. Lists (token stamps) are left to ``requests.jsonl``. Raises ``Conflict`` if it exists."""
    names = [field.name for field in msgspec.structs.fields(RequestRecord) if field.name not in _NOT_IN_CSV]
    try:
        with path.open("x", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            writer.writerows([_cell(getattr(record, name)) for name in names] for record in records)
    except FileExistsError as error:
        raise Conflict("a file of that name is there; results are never replaced") from error


_NOT_IN_CSV = frozenset({"token_at", "frame_tokens", "server_seconds"})
DOCUMENTS: dict[str, Callable[[RunResult], dict[str, Any]]] = {"llm-d": llm_d, "vllm": vllm_bench}


def document(shape: str, result: RunResult, path: Path) -> None:
    """Write ``result`` in a shape of ``DOCUMENTS``. Raises ``Conflict`` if the file exists."""
    data = msgspec.json.format(msgspec.json.encode(DOCUMENTS[shape](result)), indent=2)
    try:
        with path.open("xb") as file:
            file.write(data + b"\n")
    except FileExistsError as error:
        raise Conflict("a file of that name is there; results are never replaced") from error


def _summary(result: RunResult) -> Summary:
    if result.summary is None:
        why = ", ".join(entry.reason for entry in result.invalid)
        raise InvalidRequest(f"the run is INVALID ({why}): it has no figures to export; its requests can be (csv)")
    return result.summary


def _statistics(found: Distribution, units: str) -> dict[str, Any] | None:
    if found.mean is None:
        return None
    kept = {_LLM_D_NAMES[entry.percent]: entry.value for entry in found.percentiles if entry.percent in _LLM_D_NAMES}
    return {"units": units, "mean": found.mean, "stddev": found.std, "min": found.least, "max": found.most, **kept}


def _milliseconds(name: str, found: Distribution) -> dict[str, float | None]:
    values = {f"mean_{name}_ms": found.mean, f"median_{name}_ms": found.at(50), f"std_{name}_ms": found.std}
    values |= {f"p{entry.percent:g}_{name}_ms": entry.value for entry in found.percentiles if entry.percent > 50}
    return {key: None if value is None else value * MS for key, value in values.items()}


def _cell(value: object) -> object:
    return "" if value is None else value
