"""Figures for a narrow column. What is not known is a dash, never 0."""

from __future__ import annotations

import math
from collections.abc import Sequence

UNKNOWN = "-"
_BLOCKS = "▁▂▃▄▅▆▇█"
_GAP = " "


def newest(points: Sequence[float | None]) -> float | None:
    """The value of the newest step."""
    return points[-1] if points else None


def total(*values: float | None) -> float | None:
    """The sum; None when one of them is not known."""
    return None if any(value is None for value in values) else sum(value for value in values if value is not None)


def rate(value: float | None) -> str:
    """A number a second: ``0``, ``0.25``, ``3.1``, ``120``."""
    if value is None:
        return UNKNOWN
    return f"{value:.0f}" if value >= 100 or value == 0 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def count(value: float | None) -> str:
    """A whole number."""
    return UNKNOWN if value is None else f"{value:.0f}"


def seconds(value: float | None) -> str:
    """A time: ``850 µs``, ``12 ms``, ``2.5 s``."""
    if value is None:
        return UNKNOWN
    if value < 0.001:
        return f"{value * 1e6:.0f} µs"
    return f"{value * 1000:.0f} ms" if value < 1 else f"{value:.1f} s"


def share(value: float | None) -> str:
    """A ratio from 0 to 1, in per cent."""
    return UNKNOWN if value is None else f"{value:.0%}" if value in (0, 1) or value >= 0.1 else f"{value:.1%}"


def line(points: Sequence[float | None], columns: int) -> str:
    """The newest steps as blocks, from 0 to the highest of them; a step of which nothing is known is a blank."""
    shown = list(points)[-columns:]
    top = max((point for point in shown if point is not None), default=0.0)
    return "".join(_GAP if point is None else _block(point, top) for point in shown)


def _block(point: float, top: float) -> str:
    return _BLOCKS[min(len(_BLOCKS) - 1, math.floor(point / top * len(_BLOCKS)))] if top > 0 else _BLOCKS[0]
