"""Prints how often comparison and search err: ``python -m benchmarks.load_statistics [--quick] [--output RAW]``."""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.load_statistics.alarms import count_alarms
from benchmarks.load_statistics.simulated_queue import Server, search
from benchmarks.load_statistics.simulated_runs import Machine
from podium.bench.search.next_step import Plan

MACHINES = {
    "quiet": Machine(noise=0.003, own_noise=0.002, drift=0.002, outlier_share=0.0, requests=2000),
    "usual": Machine(noise=0.01, own_noise=0.005, drift=0.005, outlier_share=0.02, requests=2000),
    "noisy": Machine(noise=0.02, own_noise=0.01, drift=0.02, outlier_share=0.05, requests=1000),
}
SERVERS = {
    "20/s, p95": Server(20, noise=0.01),
    "60/s, p95": Server(60, noise=0.01),
    "60/s, p99": Server(60, percent=99.0, noise=0.01, least_requests=5000),
    "120/s, p90": Server(120, percent=90.0, noise=0.005, window_seconds=240),
    "20/s, p95, runs of 10 min": Server(20, noise=0.01, window_seconds=600),
    "60/s, p95, runs of 10 min": Server(60, noise=0.01, window_seconds=600),
}
_TOLERANCE = 0.05


def main() -> None:
    """Simulate, print, and write the raw figures where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repeats")
    parser.add_argument("--output", type=Path, help="JSON file for the figures")
    arguments = parser.parse_args()
    repeats = (20, 10) if arguments.quick else (200, 100)
    found = {
        "compare": [_compared(name, machine, repeats[0]) for name, machine in MACHINES.items()],
        "find-max": [_searched(name, server, repeats[1]) for name, server in SERVERS.items()],
    }
    if arguments.output:
        arguments.output.write_text(json.dumps(found, indent=1) + "\n", "utf-8")


def _compared(name: str, machine: Machine, comparisons: int) -> dict[str, Any]:
    same, slower = (count_alarms(change, machine, comparisons, seed=1000) for change in (0.0, 0.05))
    row = {"machine": name, **asdict(machine), "same": asdict(same), "slower": asdict(slower)}
    print(
        f"{name}: runs differ by {same.noise:.1%}, {same.pairs} pairs; false alarms {same.different} of {comparisons}, "
        f"5 % found {slower.worse} of {comparisons}, in every figure {slower.in_all}",
        flush=True,
    )
    return row


def _searched(name: str, server: Server, searches: int) -> dict[str, Any]:
    plan = Plan(start=1.0, least=0.1, most=10_000.0, tolerance=_TOLERANCE)
    found = [search(server, plan, seed) for seed in range(searches)]
    whole = [one for one in found if one.passes is not None and one.fails is not None and one.estimate is not None]
    covered = sum(one.passes <= server.true_limit <= one.fails for one in whole)  # type: ignore[operator]
    estimates = np.array([one.estimate for one in whole], dtype=float)
    runs = float(np.mean([one.runs for one in found]))
    grid = float(np.mean([math.log(one.fails or 0) / math.log1p(_TOLERANCE) for one in whole]))
    row = {
        "server": name,
        **asdict(server),
        "true_limit": server.true_limit,
        "searches": searches,
        "with_both_edges": len(whole),
        "covered": covered,
        "runs": runs,
        "grid_runs": grid,
        "median_width": float(np.median([one.fails / one.passes - 1 for one in whole])),  # type: ignore[operator]
        "estimate_bias": float(estimates.mean() / server.true_limit - 1),
        "estimate_spread": float(estimates.std(ddof=1) / server.true_limit),
        "hours": float(np.mean([one.seconds for one in found])) / 3600,
    }
    print(
        f"{name}: true limit {server.true_limit:.1f}/s covered {covered} of {len(whole)} ({searches} searches); "
        f"{runs:.1f} runs, grid {grid:.0f}; width {row['median_width']:.1%}; estimate {row['estimate_bias']:+.1%} "
        f"± {row['estimate_spread']:.1%}; {row['hours']:.2f} h",
        flush=True,
    )
    return row


if __name__ == "__main__":
    main()
