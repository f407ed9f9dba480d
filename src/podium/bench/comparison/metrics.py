"""The figures of a run that two versions are compared by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from podium.bench.summary import Distribution, Summary
from podium.core.errors import InvalidRequest


@dataclass(frozen=True)
class Metric:
    """One figure of a run. ``unit`` is for a reader: a figure in seconds is shown in ms."""

    name: str
    better: Literal["lower", "higher"]
    unit: Literal["seconds", "per second"]
    of: Callable[[Summary], float | None]


def _at(distribution: Callable[[Summary], Distribution], percent: float) -> Callable[[Summary], float | None]:
    return lambda summary: distribution(summary).at(percent)


_LATENCIES: dict[str, Callable[[Summary], Distribution]] = {
    "ttft": lambda summary: summary.ttft_scheduled,
    "tpot": lambda summary: summary.tpot,
    "itl": lambda summary: summary.itl,
    "e2e": lambda summary: summary.e2e_scheduled,
}
METRICS: dict[str, Metric] = {
    f"{name}_p{percent}": Metric(f"{name}_p{percent}", "lower", "seconds", _at(of, percent))
    for name, of in _LATENCIES.items()
    for percent in (50, 90, 95, 99)
} | {
    metric.name: metric
    for metric in (
        Metric("output_throughput", "higher", "per second", lambda summary: summary.output_throughput),
        Metric("request_throughput", "higher", "per second", lambda summary: summary.request_throughput),
        Metric(
            "goodput",
            "higher",
            "per second",
            lambda summary: None if summary.goodput is None else summary.goodput.per_second,
        ),
    )
}
"""Every figure that can be compared, by its name. Latencies are those from the planned time on."""

DEFAULT = ("ttft_p50", "ttft_p95", "tpot_p50", "e2e_p95", "output_throughput")


def metrics_named(names: tuple[str, ...]) -> list[Metric]:
    """The metrics of these names. Raises ``InvalidRequest`` for a name that is none."""
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise InvalidRequest(f"{', '.join(unknown)}: no such metric; there are {', '.join(METRICS)}")
    return [METRICS[name] for name in dict.fromkeys(names)]
