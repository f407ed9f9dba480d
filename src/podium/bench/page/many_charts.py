"""The charts of several runs: where latency takes off, and what a user's speed costs the whole system."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from podium.bench.page.chart import TONES, Axis, Chart, Line
from podium.bench.page.scale import seconds_text
from podium.bench.result import RunResult
from podium.bench.summary import Summary

_LOADS = frozenset({"load", "rate", "side"})  # tags that tell the load or the side, not the configuration


def asked_rate(summary: Summary) -> float:
    """The load of a run on one axis: requests per second that were asked for, or answered in a closed loop."""
    return summary.load.asked_per_second or summary.request_throughput


def knee(runs: Sequence[RunResult]) -> list[Chart]:
    """Latency and throughput against load, a line for each configuration. Two loads show no knee: no line for them."""
    groups = _by_configuration(runs)
    load = Axis("load: requests per second")
    p95 = [
        _line(f"TTFT p95 {name}".strip(), points, lambda summary: summary.ttft_scheduled.at(95))
        for name, points in groups.items()
    ]
    if len(groups) == 1:
        points = next(iter(groups.values()))
        p95.append(_line("end to end p95", points, lambda summary: summary.e2e_scheduled.at(95)))
    tokens = [_line(name, points, lambda summary: summary.output_throughput) for name, points in groups.items()]
    return [
        Chart("Knee: latency against load", p95, load, Axis("", seconds_text, logarithmic=True)),
        Chart("Output tokens per second against load", tokens, load, Axis("")),
    ]


def _by_configuration(runs: Sequence[RunResult]) -> dict[str, list[tuple[float, Summary]]]:
    """Load and summary of the runs of each configuration that were asked for three loads or more.

    Repeats of one load differ by chance, in what a closed loop answers too: a line through them would be noise.
    """
    groups: dict[str, list[tuple[float, Summary]]] = {}
    asked: dict[str, set[bytes]] = {}
    for run in runs:
        if run.summary is not None:
            name = ", ".join(f"{key} {value}" for key, value in run.tags.items() if key not in _LOADS)
            groups.setdefault(name, []).append((asked_rate(run.summary), run.summary))
            asked.setdefault(name, set()).add(msgspec.json.encode(run.plan.get("load")))
    enough = {name: points for name, points in groups.items() if len(asked[name]) >= 3}
    return dict(list(enough.items())[:TONES])


def _line(name: str, points: Sequence[tuple[float, Summary]], of: Callable[[Summary], float | None]) -> Line:
    ordered = sorted(points, key=lambda point: point[0])
    return Line(name, [rate for rate, _ in ordered], [of(summary) for _, summary in ordered])


def pareto(runs: Sequence[RunResult]) -> Chart:
    """Tokens per second that one user gets against those of the whole system; the front is what nothing beats."""
    points = [
        (1 / speed, run.summary.output_throughput, run.name)
        for run in runs
        if run.summary is not None and (speed := run.summary.tpot.at(50))
    ]
    points = points if len(points) >= 2 else []
    front = front_of([(x, y) for x, y, _ in points])
    lines = [Line("runs", [x for x, _, _ in points], [y for _, y, _ in points], "dots", [name for *_, name in points])]
    if len(front) >= 2:
        lines.append(Line("what no run beats", [x for x, _ in front], [y for _, y in front]))
    user = Axis("tokens per second for one user (1 / TPOT p50)")
    return Chart("Pareto: one user's speed against the whole system's", lines, user, Axis(""))


def front_of(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The points that no other point beats in both directions, from left to right."""
    front: list[tuple[float, float]] = []
    for x, y in sorted(points, reverse=True):
        if not front or y > front[-1][1]:
            front.append((x, y))
    return front[::-1]
