"""When requests are sent: every open-loop schedule is drawn before the run, from a seed.

Draws are never rescaled to end on a round number: what was drawn is what is asked for, and the result says both.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from podium.bench.plan import Load, RunPlan

Times = NDArray[np.float64]

KINDS = ("closed", "constant", "poisson", "gamma", "ramp", "stages", "spike", "trace")
MOST_REQUESTS = 20_000_000


def schedule(plan: RunPlan) -> tuple[Times, NDArray[np.int64]]:
    """Times of an open loop in seconds since the start, ascending, and the stage of each.

    The warm-up comes first, at the rate with which the load begins; stage -1. A trace has no warm-up of its own:
    its requests within the warm-up's length are it.
    """
    load = plan.load
    random = np.random.default_rng([plan.seed, 0])
    if load.kind == "trace":
        times = np.array(sorted(turn.at for turn in plan.workload.turns), dtype=np.float64)
        times = (times - times[0]) / load.speed
        return _cut(times, np.where(times < plan.warm_up_seconds, -1, 0).astype(np.int64), load)
    pieces, stages, begin = [], [], 0.0
    for stage, (rate, end_rate, seconds) in enumerate(_pieces(load, plan.warm_up_seconds), start=-1):
        piece = begin + _piece(load, rate, end_rate, seconds, random)
        pieces.append(piece)
        stages.append(np.full(len(piece), stage, dtype=np.int64))
        begin += seconds
    return _cut(np.concatenate(pieces), np.concatenate(stages), load)


def _cut(times: Times, stages: NDArray[np.int64], load: Load) -> tuple[Times, NDArray[np.int64]]:
    if load.most_requests is not None:
        keep = int((stages < 0).sum()) + load.most_requests
        return times[:keep], stages[:keep]
    return times, stages


def _pieces(load: Load, warm_up: float) -> Iterator[tuple[float, float, float]]:
    """Rate at the begin, rate at the end, seconds; the warm-up first, even where it is empty."""
    first = load.stages[0][0] if load.kind == "stages" else load.rate
    yield first, first, warm_up
    if load.kind == "stages":
        yield from ((rate, rate, seconds) for rate, seconds in load.stages)
    elif load.kind == "ramp":
        yield load.rate, load.end_rate, load.seconds
    elif load.kind == "spike":
        fifth = load.seconds / 5
        yield load.rate, load.rate, 2 * fifth
        yield load.end_rate, load.end_rate, fifth
        yield load.rate, load.rate, 2 * fifth
    else:
        yield load.rate, load.rate, load.seconds


def _piece(load: Load, rate: float, end_rate: float, seconds: float, random: np.random.Generator) -> Times:
    """Arrivals in [0, seconds)."""
    if load.kind == "constant":
        return np.arange(math.ceil(seconds * rate - 1e-9), dtype=np.float64) / rate
    shape = load.burstiness if load.kind == "gamma" else 1.0
    if rate == end_rate:
        return _renewal(rate, seconds, shape, random)
    # A ramp is a unit-rate process whose time runs as the integral of the rate does.
    slope = (end_rate - rate) / seconds
    area = _renewal(1.0, seconds * (rate + end_rate) / 2, 1.0, random)
    return np.asarray(2 * area / (rate + np.sqrt(rate * rate + 2 * slope * area)), dtype=np.float64)


def _renewal(rate: float, seconds: float, shape: float, random: np.random.Generator) -> Times:
    """Gaps are gamma with this shape and mean 1 / rate; shape 1 is Poisson."""
    times = np.empty(0)
    last = 0.0
    while last < seconds:
        count = int((seconds - last) * rate * 1.1) + 16
        more = last + np.cumsum(random.gamma(shape, 1 / (rate * shape), count))
        times = np.concatenate([times, more])
        last = float(times[-1])
    return times[times < seconds]
