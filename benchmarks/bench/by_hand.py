"""The project's own serving figures, by its load tester and by the client that the serving benchmark was written with.

One server, two clients in turns, 128 tokens in and 128 out: one stream, request after request, of which the first does
not count (it follows a pause, which is longer where a client has processes to start); and 16 requests at once. The two
clients share no code that measures. ``kept``: the median of the ratios of all rounds is within 5 %.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from benchmarks.serving.client import Planned, http_post, run_load
from benchmarks.serving.timings import quantile, summary
from podium.bench.figures import tpot
from podium.bench.fleet import Fleet
from podium.bench.local_server import LocalServer
from podium.bench.measured import seeded
from podium.bench.plan import Length, Load, RunPlan, Target, Workload
from podium.bench.preparation import ready
from podium.bench.prompts import text_of
from podium.bench.record import Outcome, RequestRecord

COUNTS = (1, 16)
ONE_AFTER_THE_OTHER = 6  # and one before them
ROUNDS = 12
TOKENS = 128
MOST_APART = 0.05
FIGURES = ("output_tokens_per_second", "ttft_p50_seconds", "tpot_p50_seconds")
Figures = dict[str, float]


def measure(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A record for each burst and figure: medians of both, and the median of the ratios."""
    rounds = 2 if arguments.quick else ROUNDS
    with LocalServer(_settings(arguments.model)) as server:
        model = httpx.get(f"{server.url}/v1/models", timeout=10.0, trust_env=False).json()["data"][0]["id"]
        for count in COUNTS:
            plan = ready(_plan(server.url, model, count), "auto")
            _by_podium(plan)  # else the first burst of a size is colder than the others
            found: dict[str, list[Figures]] = {"podium bench": [], "by hand": []}
            for number in range(rounds):
                for who in ("podium bench", "by hand") if number % 2 else ("by hand", "podium bench"):
                    once = seeded(plan, number + 1)  # other prompts each time: the server keeps prefixes
                    measured = _by_podium(once) if who == "podium bench" else _by_hand(once)
                    found[who].append(measured)
            yield from _compared(count, found)


def _settings(folder: Path | None) -> dict[str, Any]:
    return {} if folder is None else {"models": [{"name": "bench", "source": str(folder.resolve())}]}


def _plan(url: str, model: str, count: int) -> RunPlan:
    return RunPlan(
        target=Target(url=url, model=model),
        load=Load(kind="closed", concurrency=count, most_requests=_bursts(count) * count, seconds=120.0),
        workload=Workload(prompt=Length(mean=TOKENS), output=Length(mean=TOKENS)),
        warm_up_seconds=0.0,
        calibrate=False,
        workers=1,
    )


def _bursts(count: int) -> int:
    return 1 + ONE_AFTER_THE_OTHER if count == 1 else 1


def _by_podium(plan: RunPlan) -> Figures:
    records = sorted(asyncio.run(Fleet(plan).run()).records, key=lambda record: record.sent_at or 0.0)
    failed = [record for record in records if record.outcome is not Outcome.OK]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(records)} requests failed: {failed[0].failure}")
    one_by_one = plan.load.concurrency == 1
    counted = records[1:] if one_by_one else records
    return {
        "output_tokens_per_second": statistics.median(_rate([r]) for r in counted) if one_by_one else _rate(counted),
        "ttft_p50_seconds": quantile(sorted(r.since_sent(r.first_token_at) or 0.0 for r in counted), 0.5),
        "tpot_p50_seconds": statistics.median(tpot(r) or 0.0 for r in counted),
    }


def _rate(records: Sequence[RequestRecord]) -> float:
    seconds = max(r.last_token_at or 0.0 for r in records) - min(r.sent_at or 0.0 for r in records)
    return sum(r.output_tokens_reported or 0 for r in records) / seconds


def _by_hand(plan: RunPlan) -> Figures:
    count = plan.load.concurrency
    draw = random.Random(f"by hand {count} {plan.seed}")  # noqa: S311 - repeatable numbers, not secrets
    found = [_burst(plan, count, draw) for _ in range(_bursts(count))]
    counted = found[1:] or found
    return {figure: statistics.median(one[figure] for one in counted) for figure in FIGURES}


def _burst(plan: RunPlan, count: int, draw: random.Random) -> Figures:
    assert plan.words is not None
    address = urlsplit(plan.target.url)
    host, port = address.hostname or "", address.port or 0
    planned = []
    for _ in range(count):
        body: dict[str, object] = {
            "model": plan.target.model,
            "prompt": text_of(plan.words, TOKENS, draw),
            "max_tokens": TOKENS,
            "ignore_eos": True,
            "temperature": 0,
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        planned.append(Planned(0.0, http_post(host, port, "/v1/completions", body), TOKENS))
    return summary(run_load(host, port, planned))


def _compared(count: int, found: dict[str, list[Figures]]) -> Iterator[dict[str, Any]]:
    for figure in FIGURES:
        ours, theirs = ([one[figure] for one in found[who]] for who in ("podium bench", "by hand"))
        ratio = statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
        yield {
            "row": "by-hand",
            "streams": count,
            "figure": figure,
            "podium": statistics.median(ours),
            "by_hand": statistics.median(theirs),
            "ratio": ratio,
            "rounds": len(ours),
            "kept": abs(ratio - 1) <= MOST_APART,
        }


def line(record: dict[str, Any]) -> str:
    """A record for a person."""
    return (
        f"{'ok  ' if record['kept'] else 'MISS'} {record['streams']:2} streams {record['figure']:26} "
        f"podium bench {record['podium']:.5g}, by hand {record['by_hand']:.5g}: {record['ratio']:.3f} times"
    )
