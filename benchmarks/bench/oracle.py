"""Every figure of a run against the simulator's own log of the same requests: within 1 % or 0.5 ms."""

from __future__ import annotations

import argparse
import asyncio
import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np

from podium.bench.figures import ntpot, summarise, tpot
from podium.bench.fleet import Fleet, Sent
from podium.bench.plan import Length, Load, RunPlan, Target, Words, Workload
from podium.bench.record import Outcome
from podium.bench.statistics import kolmogorov, same_arrivals
from podium.bench.summary import Distribution, Summary
from podium.testing.simulator.behaviour import Behaviour, Truth
from podium.testing.simulator.process import simulator

RELATIVE, ABSOLUTE_SECONDS = 0.01, 0.0005
LEAST_P_VALUE = 0.01
TOKENS = 32
ARRIVALS = ("poisson", "gamma")
CASES = {
    "plain": Behaviour(ttft=0.05, itl=0.01),
    "jitter": Behaviour(ttft=0.08, ttft_std=0.02, itl=0.02, itl_std=0.005),
    "role first": Behaviour(ttft=0.05, itl=0.01, role_first=True),
    "four tokens a frame": Behaviour(ttft=0.05, itl=0.02, tokens_per_frame=4),
    "slow headers": Behaviour(ttft=0.1, itl=0.01, headers_after=0.09),
    "one in five fails": Behaviour(ttft=0.05, itl=0.01, faults={"error_frame": 0.1, "cut": 0.05, "no_usage": 0.05}),
}


def measure(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One record for each case and figure; ``kept`` says whether the bar is. Quick: one arrival process for each case.

    ``paired_p50_ms`` and ``paired_p99_ms`` are client minus truth, request by request: a middle far from zero is an
    error of the load tester, a far end is a stall of the machine.
    """
    seconds = 15.0 if arguments.quick else 40.0
    for number, (name, behaviour) in enumerate(CASES.items()):
        for arrivals in (ARRIVALS[number % 2],) if arguments.quick else arguments.arrivals:
            with simulator(behaviour) as server:
                plan = _plan(server.url, arrivals, seconds)
                sent = asyncio.run(Fleet(plan).run())
                truths = server.truths()
            case = {"row": "oracle", "case": name, "arrivals": arrivals}
            yield from _latencies(case, sent, truths, plan)
            yield from _rates(case, sent, truths, plan)
            yield from _arrivals(case, sent.records, truths, plan)


def _latencies(case: dict[str, Any], sent: Sent, truths: dict[str, Truth], plan: RunPlan) -> Iterator[dict[str, Any]]:
    found = _summary(sent, plan)
    good = [r for r in sent.records if r.outcome is Outcome.OK and not r.warm_up]
    true = [truths[record.request_id] for record in good]
    planned = [sent.started_monotonic + record.scheduled_at for record in good]
    first = np.array([t.token_at[0] for t in true])
    last = np.array([t.token_at[-1] for t in true])
    received = np.array([t.received_at for t in true])
    pairs = {
        "ttft": (found.ttft_sent, first - received, [r.since_sent(r.first_token_at) for r in good]),
        "ttft planned": (found.ttft_scheduled, first - planned, [r.since_scheduled(r.first_token_at) for r in good]),
        "e2e": (found.e2e_sent, last - received, [r.since_sent(r.last_token_at) for r in good]),
        "e2e planned": (found.e2e_scheduled, last - planned, [r.since_scheduled(r.last_token_at) for r in good]),
        "tpot": (found.tpot, (last - first) / [t.tokens - 1 for t in true], [tpot(r) for r in good]),
        "ntpot": (found.ntpot, (last - received) / [t.tokens for t in true], [ntpot(r) for r in good]),
        "itl": (found.itl, _gaps(t.token_at for t in true), _gaps(r.token_at for r in good)),
    }
    for figure, (mine, samples, same) in pairs.items():
        off = 1000 * (np.array(same, dtype=np.float64) - samples)
        paired = {"paired_p50_ms": float(np.median(off)), "paired_p99_ms": float(np.percentile(np.abs(off), 99))}
        yield from _compared(case | paired, figure, mine, samples)


def _gaps(stamps: Iterable[list[float]]) -> np.ndarray:
    return np.concatenate([np.diff(of_one) for of_one in stamps])


def _rates(case: dict[str, Any], sent: Sent, truths: dict[str, Truth], plan: RunPlan) -> Iterator[dict[str, Any]]:
    """What is counted rather than timed; throughput by the simulator's own stamps of tokens and ends."""
    found = _summary(sent, plan)
    begin, end = (sent.started_monotonic + at for at in (found.window.begin, found.window.end))
    offered = [truths[record.request_id] for record in sent.records if not record.warm_up]
    done = [t.done_at for t in truths.values() if not t.fault and t.done_at and begin <= t.done_at < end]
    tokens = sum(
        size
        for truth in truths.values()
        for at, size in zip(truth.token_at, truth.frame_tokens, strict=True)
        if begin <= at < end
    )
    true = {
        "failed": (found.counts.failed, sum(bool(t.fault) for t in offered), 0.0),
        "answered/s": (found.request_throughput, (len(done) - 1) / (max(done) - min(done)), RELATIVE),
        "tokens/s": (found.output_throughput, tokens / (end - begin), RELATIVE),
    }
    for figure, (mine, truth, most) in true.items():
        yield {**case, "figure": figure, "podium": mine, "truth": truth, "kept": abs(mine - truth) <= most * truth}


def _summary(sent: Sent, plan: RunPlan) -> Summary:
    found = summarise(sent.records, plan)
    assert found is not None
    return found


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


def _arrivals(
    case: dict[str, Any], records: Sequence[Any], truths: dict[str, Truth], plan: RunPlan
) -> Iterator[dict[str, Any]]:
    planned = np.array([record.scheduled_at for record in records])
    received = np.array([truth.received_at for truth in truths.values()])
    received -= received.min() - planned.min()
    p_value = same_arrivals(planned, received)
    yield {**case, "figure": "arrivals p", "podium": p_value, "truth": plan.load.rate, "kept": p_value > LEAST_P_VALUE}
    p_value = _p_of_gaps(np.diff(np.sort(received)), case["arrivals"], plan.load)
    yield {**case, "figure": "gaps p", "podium": p_value, "truth": plan.load.rate, "kept": p_value > LEAST_P_VALUE}


def _p_of_gaps(gaps: np.ndarray, arrivals: str, load: Load) -> float:
    """p-value of a Kolmogorov-Smirnov test that gaps between arrivals are of the process that was asked for."""
    assert load.burstiness == 0.5  # the formula below
    ordered = np.sort(gaps)
    scaled = ordered * load.rate
    of = [1 - math.exp(-x) if arrivals == "poisson" else math.erf(math.sqrt(x / 2)) for x in scaled]
    ranks = np.arange(len(ordered) + 1) / len(ordered)
    distance = max(float((ranks[1:] - of).max()), float((of - ranks[:-1]).max()))
    return kolmogorov(distance * math.sqrt(len(ordered)))


def line(record: dict[str, Any]) -> str:
    """A record for a person."""
    mark = "ok  " if record["kept"] else "MISS"
    about = f"{record['case']:20} {record['arrivals']:8} {record['figure']:17}"
    paired = ""
    if "paired_p50_ms" in record:
        paired = f", request by request {record['paired_p50_ms']:+.3f} ms (99 % within {record['paired_p99_ms']:.3f})"
    return f"{mark} {about} {record['podium']:.6g} against {record['truth']:.6g}{paired}"
