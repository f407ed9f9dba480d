"""Every figure of a run against the simulator's own log of the same requests: within 1 % or 0.5 ms."""

from __future__ import annotations

import argparse
import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from podium.bench.figures import summarise
from podium.bench.fleet import Fleet
from podium.bench.plan import Length, Load, RunPlan, Target, Words, Workload
from podium.bench.statistics import same_arrivals
from podium.bench.summary import Distribution
from podium.testing.simulator.behaviour import Behaviour, Truth
from podium.testing.simulator.process import simulator

RELATIVE, ABSOLUTE_SECONDS = 0.01, 0.0005
LEAST_P_VALUE = 0.01
TOKENS = 32
CASES = {
    "plain": Behaviour(ttft=0.05, itl=0.01),
    "jitter": Behaviour(ttft=0.08, ttft_std=0.02, itl=0.02, itl_std=0.005),
    "role first": Behaviour(ttft=0.05, itl=0.01, role_first=True),
    "four tokens a frame": Behaviour(ttft=0.05, itl=0.02, tokens_per_frame=4),
    "slow headers": Behaviour(ttft=0.1, itl=0.01, headers_after=0.09),
    "one in five fails": Behaviour(ttft=0.05, itl=0.01, faults={"error_frame": 0.1, "cut": 0.05, "no_usage": 0.05}),
}


def measure(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One record for each case and figure; ``kept`` says whether the bar is."""
    seconds = 5.0 if arguments.quick else 40.0
    for name, behaviour in CASES.items():
        for arrivals in ("poisson", "gamma"):
            with simulator(behaviour) as server:
                plan = _plan(server.url, arrivals, seconds)
                sent = asyncio.run(Fleet(plan).run())
                truths = server.truths()
            found = summarise(sent.records, plan)
            assert found is not None
            of_ok = [r for r in sent.records if r.outcome == "ok" and not r.warm_up]
            true = [truths[record.request_id] for record in of_ok]
            case = {"row": "oracle", "case": name, "arrivals": arrivals}
            pairs = {
                "ttft": (found.ttft_sent, [t.token_at[0] - t.received_at for t in true]),
                "itl": (found.itl, np.concatenate([np.diff(t.token_at) for t in true])),
                "tpot": (found.tpot, [(t.token_at[-1] - t.token_at[0]) / (t.tokens - 1) for t in true]),
                "e2e": (found.e2e_sent, [t.token_at[-1] - t.received_at for t in true]),
            }
            for figure, (mine, samples) in pairs.items():
                yield from _compared(case, figure, mine, samples)
            yield _arrivals(case, sent.records, truths, plan)
            failed = sum(bool(truths[r.request_id].fault) for r in sent.records if not r.warm_up)
            yield {**case, "figure": "failed", "podium": found.counts.failed, "truth": failed} | {
                "kept": found.counts.failed == failed
            }


def _plan(url: str, arrivals: str, seconds: float) -> RunPlan:
    return RunPlan(
        target=Target(url=url, model="simulated", dialect="chat"),
        load=Load(kind=arrivals, rate=20.0, seconds=seconds, burstiness=0.5),
        workload=Workload(prompt=Length(mean=20), output=Length(mean=TOKENS)),
        words=Words(unit="word", words=["time", "year", "way"], overhead=0, source="the simulator"),
        warm_up_seconds=1.0,
        calibrate=False,
    )


def _compared(
    case: dict[str, Any], figure: str, mine: Distribution, samples: Sequence[float] | np.ndarray
) -> Iterator[dict[str, Any]]:
    truths: dict[str, Callable[[], float]] = {
        "mean": lambda: float(np.mean(samples)),
        **{
            f"p{percent}": lambda percent=percent: float(np.percentile(samples, percent, method="inverted_cdf"))
            for percent in (50, 90, 99)
        },
    }
    for name, truth_of in truths.items():
        value = mine.mean if name == "mean" else mine.at(float(name[1:]))
        assert value is not None
        truth = truth_of()
        off = abs(value - truth)
        kept = off <= max(RELATIVE * truth, ABSOLUTE_SECONDS)
        yield {
            **case,
            "figure": f"{figure} {name}",
            "podium": value,
            "truth": truth,
            "off_ms": off * 1000,
            "kept": kept,
        }


def _arrivals(case: dict[str, Any], records: Sequence[Any], truths: dict[str, Truth], plan: RunPlan) -> dict[str, Any]:
    planned = np.array([record.scheduled_at for record in records])
    received = np.array([truth.received_at for truth in truths.values()])
    received -= received.min() - planned.min()
    p_value = same_arrivals(planned, received)
    return {**case, "figure": "arrivals p", "podium": p_value, "truth": plan.load.rate, "kept": p_value > LEAST_P_VALUE}


def line(record: dict[str, Any]) -> str:
    """A record for a person."""
    mark = "ok  " if record["kept"] else "MISS"
    about = f"{record['case']:20} {record['arrivals']:8} {record['figure']:12}"
    return f"{mark} {about} {record['podium']:.6g} against {record['truth']:.6g}"
