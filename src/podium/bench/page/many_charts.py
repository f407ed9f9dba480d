"""The charts of several runs: where latency takes off, and what a user's speed costs the whole system."""

from __future__ import annotations

from collections.abc import Sequence

from podium.bench.page.chart import Axis, Chart, Line
from podium.bench.page.scale import seconds_text
from podium.bench.result import RunResult
from podium.bench.summary import Summary


def asked_rate(summary: Summary) -> float:
    """The load of a run on one axis: requests per second that were asked for, or answered in a closed loop."""
    return summary.load.asked_per_second or summary.request_throughput


def knee(runs: Sequence[RunResult]) -> list[Chart]:
    """Latency and throughput against load. Empty charts for fewer than three loads: two points show no knee."""
    points = sorted(
        ((asked_rate(run.summary), run.summary) for run in runs if run.summary is not None), key=lambda point: point[0]
    )
    enough = points if len({rate for rate, _ in points}) >= 3 else []
    x = [rate for rate, _ in enough]
    load = Axis("load: requests per second")
    latency = [
        Line("TTFT p95", x, [summary.ttft_scheduled.at(95) for _, summary in enough]),
        Line("end to end p95", x, [summary.e2e_scheduled.at(95) for _, summary in enough]),
    ]
    tokens = [Line("", x, [summary.output_throughput for _, summary in enough])]
    return [
        Chart("Knee: latency against load", latency, load, Axis("", seconds_text, logarithmic=True)),
        Chart("Output tokens per second against load", tokens, load, Axis("")),
    ]


def pareto(runs: Sequence[RunResult]) -> Chart:
    """Tokens per second that one user gets against those of the whole system; the front is what nothing beats."""
    points = [
        (1 / speed, run.summary.output_throughput, _label(run))
        for run in runs
        if run.summary is not None and (speed := run.summary.tpot.at(50))
    ]
    points = points if len(points) >= 2 else []
    front = front_of([(x, y) for x, y, _ in points])
    return Chart(
        "Pareto: one user's speed against the whole system's",
        [
            Line("runs", [x for x, _, _ in points], [y for _, y, _ in points], "dots", [label for *_, label in points]),
            Line("what no run beats", [x for x, _ in front], [y for _, y in front]),
        ],
        Axis("tokens per second for one user (1 / TPOT p50)"),
        Axis(""),
    )


def front_of(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other point beats in both directions, from left to right."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, reverse=True):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front[::-1]


def _label(run: RunResult) -> str:
    tags = ", ".join(f"{name} {value}" for name, value in run.tags.items())
    return tags or run.name
