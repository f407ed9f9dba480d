"""Runs cases in chunks, each with a seed of its own, and counts in which interval each rule acted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.rollouts.cases import Promotion, Row
from benchmarks.rollouts.promotion import advances, mismatch_found
from benchmarks.rollouts.rules import Firsts, log_evidence
from benchmarks.rollouts.slowness import Slowness, slowness_found
from benchmarks.rollouts.traffic import Case, draw

_CELLS_OF_A_CHUNK = 360_000  # runs times intervals at once: about 100 MB
_PATHS = 15
_BATCH, _UNITS = 50, 40_000


def chunks(runs: int, intervals: int, seed: int) -> Iterator[tuple[int, np.random.Generator]]:
    """Numbers of runs and their random sources; chunk n of seed s is always the same."""
    size = max(1, _CELLS_OF_A_CHUNK // intervals)
    for number, begin in enumerate(range(0, runs, size)):
        yield min(size, runs - begin), np.random.default_rng([seed, number])


def case_record(row: Row, runs: int, seed: int) -> dict[str, Any]:
    """How often and when each rule acted."""
    acted: dict[str, Counter[int]] = {name: Counter() for name in row.rules}
    for count, random in chunks(runs, row.case.intervals, seed):
        traffic = draw(row.case, count, random)
        for name, rule in row.rules.items():
            acted[name].update(rule(traffic).tolist())
    found = {name: _by_interval(counter) for name, counter in acted.items()}
    return {"case": asdict(row.case), "runs": runs, "seed": seed, "acted": found}


def promotion_record(promotion: Promotion, runs: int, seed: int) -> dict[str, Any]:
    """When the certificate promoted, and how many canary requests it took."""
    acted: Counter[int] = Counter()
    requests: list[int] = []
    for count, random in chunks(runs, promotion.case.intervals, seed):
        traffic = draw(promotion.case, count, random)
        found = advances(traffic, promotion.max_increase)
        acted.update(found.tolist())
        totals = np.cumsum(traffic.canary, axis=1)
        requests += [int(totals[run, at]) for run, at in enumerate(found.tolist()) if at >= 0]
    return {
        "case": asdict(promotion.case),
        "max_increase": promotion.max_increase,
        "runs": runs,
        "seed": seed,
        "acted": _by_interval(acted),
        "requests": np.percentile(requests, (10, 50, 90)).tolist() if requests else None,
    }


def split_record(declared: float, actual: float, runs: int, seed: int) -> dict[str, Any]:
    """After how many assignments a split was called wrong."""
    found = mismatch_found(
        declared, actual, units=_UNITS, batch=_BATCH, runs=runs, random=np.random.default_rng([seed])
    )
    facts = {"declared": declared, "actual": actual, "units": _UNITS, "batch": _BATCH, "runs": runs, "seed": seed}
    return {**facts, "acted": _by_interval(Counter(found.tolist()))}


def slowness_record(slowness: Slowness, runs: int, seed: int) -> dict[str, Any]:
    """When slowness was found at 10 requests a second, 10 % of them the canary's."""
    acted: Counter[int] = Counter()
    for count, random in chunks(runs, 720, seed):
        found: Firsts = slowness_found(slowness, rate_per_second=10, share=0.1, minutes=60, runs=count, random=random)
        acted.update(found.tolist())
    return {**asdict(slowness), "runs": runs, "seed": seed, "acted": _by_interval(acted)}


def paths_record(case: Case, seed: int) -> dict[str, Any]:
    """Evidence over time of a few runs, every minute, as natural logarithms."""
    traffic = draw(case, _PATHS, np.random.default_rng([seed]))
    logs = log_evidence(traffic.stable, traffic.stable_bad, traffic.canary, traffic.canary_bad)
    return {"name": case.name, "seed": seed, "every_seconds": 60, "log_e": logs[:, 11::12].round(3).tolist()}


def _by_interval(counter: Counter[int]) -> dict[str, int]:
    return {str(interval): counter[interval] for interval in sorted(counter)}
