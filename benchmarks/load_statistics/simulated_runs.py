"""Runs as they would come from a machine: requests that differ, runs that differ, a machine that drifts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from podium.bench.result import Provenance, RunResult
from podium.bench.summary import Counts, Distribution, Load, Percentile, Summary, Window

PERCENTS = (50.0, 90.0, 95.0, 99.0)
_EMPTY = Distribution()
_NOWHERE = Provenance(
    started_at="2026-01-01T00:00:00Z",
    command=[],
    podium_version="",
    python_version="",
    seed=0,
    target="simulated",
    model="",
    dialect="",
)


@dataclass(frozen=True)
class Machine:
    """How runs of one and the same server differ on it, each as a relative standard deviation."""

    noise: float = 0.015  # from run to run, in everything alike
    own_noise: float = 0.005  # from run to run, in each figure by itself
    drift: float = 0.01  # random walk, a step each run
    outlier_share: float = 0.05  # so many runs meet a noisy neighbour,
    outlier: float = 0.05  # and are so much slower
    requests: int = 600


def simulated_runs(
    count: int, speed: NDArray[np.float64], machine: Machine, draw: np.random.Generator
) -> list[RunResult]:
    """``count`` runs one after another; ``speed[i]`` is how long run i takes against normal (1.05: 5 % longer)."""
    drift = np.cumsum(draw.normal(0, machine.drift, count))
    shared = draw.normal(0, machine.noise, count) + drift
    shared += np.where(draw.random(count) < machine.outlier_share, math.log1p(machine.outlier), 0)
    return [_run(float(speed[at] * math.exp(shared[at])), machine, draw) for at in range(count)]


def _run(slowness: float, machine: Machine, draw: np.random.Generator) -> RunResult:
    def around(typical: float, spread: float) -> NDArray[np.float64]:
        own = math.exp(draw.normal(0, machine.own_noise))
        return typical * slowness * own * draw.lognormal(0, spread, machine.requests)

    ttft, tpot = around(0.08, 0.4), around(0.02, 0.15)
    e2e = ttft + 99 * tpot
    return run_of(
        ttft_scheduled=distribution_of(ttft),
        tpot=distribution_of(tpot),
        e2e_scheduled=distribution_of(e2e),
        output_throughput=1600 / float(np.mean(e2e)),
    )


def distribution_of(values: NDArray[np.float64]) -> Distribution:
    """Order statistics of ``values``."""
    found = np.quantile(values, [percent / 100 for percent in PERCENTS], method="inverted_cdf")
    kept = [Percentile(percent=percent, value=float(value)) for percent, value in zip(PERCENTS, found, strict=True)]
    return Distribution(count=len(values), mean=float(values.mean()), percentiles=kept)


def run_of(**figures: Distribution | float) -> RunResult:
    """A valid run with these members of its summary; all others are empty."""
    members: dict[str, object] = dict.fromkeys(_DISTRIBUTIONS, _EMPTY) | dict.fromkeys(_RATES, 0.0) | figures
    summary = Summary(
        window=Window(begin=0, end=60, stationary=True), counts=Counts(offered=1, ok=1), load=Load(), **members
    )  # type: ignore[arg-type]
    return RunResult(name="simulated", plan={}, provenance=_NOWHERE, counts=summary.counts, seconds=60, summary=summary)


_DISTRIBUTIONS = (
    "schedule_delay",
    "ttft_scheduled",
    "ttft_sent",
    "ttfo_scheduled",
    "e2e_scheduled",
    "e2e_sent",
    "itl",
    "tpot",
    "ntpot",
    "output_tokens",
    "prompt_tokens",
    "tokens_per_frame",
)
_RATES = ("request_throughput", "completed_per_second", "output_throughput", "prompt_throughput")
