"""Where the limit most likely is: the best guess inside an interval, from every run near it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from podium.bench.search.history import Probe


def estimate(history: Sequence[Probe], passed: float, failed: float) -> float:
    """The rate in [``passed``, ``failed``] at which the worst-off criterion meets exactly what is allowed.

    Log odds against log rate: runs at one rate are pooled, neighbours that contradict the order too (isotonic
    regression), and the crossing is found on the straight line between the two rates around it.
    """
    points = _isotonic([probe for probe in history if passed <= probe.rate <= failed])
    below = [point for point in points if point[1] <= 0]
    above = [point for point in points if point[1] > 0]
    if not below or not above:
        return math.sqrt(passed * failed)
    (x0, y0, _), (x1, y1, _) = below[-1], above[0]
    return min(max(math.exp(x0 + (x1 - x0) * -y0 / (y1 - y0)), passed), failed)


def _isotonic(probes: Sequence[Probe]) -> list[tuple[float, float, float]]:
    """(log rate, excess, weight), rising in both."""
    merged: list[tuple[float, float, float]] = []
    for probe in sorted(probes, key=lambda probe: probe.rate):
        merged.append((math.log(probe.rate), _excess(probe), min(one.count for one in probe.criteria)))
        while len(merged) > 1 and (merged[-2][1] >= merged[-1][1] or merged[-2][0] == merged[-1][0]):
            last, before = merged.pop(), merged.pop()
            weight = last[2] + before[2]
            merged.append(
                (
                    (last[0] * last[2] + before[0] * before[2]) / weight,
                    (last[1] * last[2] + before[1] * before[2]) / weight,
                    weight,
                )
            )
    return merged


def _excess(probe: Probe) -> float:
    """Log odds of being bad, above what is allowed, of the criterion that is worst off."""
    return max(
        math.log((one.bad + 0.5) / (one.count - one.bad + 0.5)) - math.log(one.allowed / (1 - one.allowed))
        for one in probe.criteria
    )
