"""Comparisons of a server with itself, and with one that is slower: how often an alarm, how often found."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.load_statistics.simulated_runs import Machine, simulated_runs
from podium.bench.comparison.metrics import DEFAULT, metrics_named
from podium.bench.comparison.order import interleaved
from podium.bench.comparison.power import pairs_needed
from podium.bench.comparison.verdict import Comparison, Verdict, compare


@dataclass(frozen=True)
class Alarms:
    """Of ``comparisons``: how many called any figure different, one worse, all of them worse."""

    change: float
    noise: float
    pairs: int
    comparisons: int
    different: int
    worse: int
    in_all: int


def count_alarms(change: float, machine: Machine, comparisons: int, seed: int) -> Alarms:
    """Compare A with a B that is ``change`` slower, with as many pairs as are said to be needed for 5 %."""
    pairs = pairs_needed(change=0.05, noise=_noise(machine), metrics=len(DEFAULT))
    if pairs is None:
        raise ValueError("no number of pairs finds 5 % on such a machine")
    found = [_comparison(change, machine, pairs, seed + number) for number in range(comparisons)]
    different = sum(
        any(difference.verdict in {Verdict.WORSE, Verdict.BETTER} for difference in one.differences) for one in found
    )
    worse = sum(one.verdict is Verdict.WORSE for one in found)
    in_all = sum(all(difference.verdict is Verdict.WORSE for difference in one.differences) for one in found)
    return Alarms(change, _noise(machine), pairs, comparisons, different, worse, in_all)


def _comparison(change: float, machine: Machine, pairs: int, seed: int) -> Comparison:
    draw = np.random.default_rng(seed)
    order = np.array(interleaved(pairs, seed))
    runs = simulated_runs(len(order), np.where(order == "B", 1 + change, 1.0), machine, draw)
    a, b = ([run for run, side in zip(runs, order, strict=True) if side == wanted] for wanted in "AB")
    return compare(a, b, metrics_named(DEFAULT), paired=True)


def _noise(machine: Machine) -> float:
    """What a person would measure as run-to-run noise of neighbours: drift, neighbours and sampling included."""
    slow = machine.outlier * math.sqrt(machine.outlier_share)
    sampling = 0.85 / math.sqrt(machine.requests)  # of a p95 of a lognormal with a spread of 0.4
    return math.sqrt(machine.noise**2 + machine.own_noise**2 + machine.drift**2 / 2 + slow**2 + sampling**2)
