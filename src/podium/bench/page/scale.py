"""From values to places on a chart, and the marks on its axes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_MARKS = 5
_FEWEST_MARKS = 3


@dataclass(frozen=True)
class Scale:
    """Values from ``low`` to ``high`` onto pixels from ``begin`` to ``end``."""

    low: float
    high: float
    begin: float
    end: float
    logarithmic: bool = False

    def __call__(self, value: float) -> float:
        """The place of ``value``; one outside goes to the nearer end."""
        inside = min(max(value, self.low), self.high)
        if self.logarithmic:
            share = math.log(inside / self.low) / math.log(self.high / self.low)
        else:
            share = (inside - self.low) / (self.high - self.low)
        return self.begin + share * (self.end - self.begin)

    def marks(self) -> list[float]:
        """Round values within the scale."""
        return _powers(self.low, self.high) if self.logarithmic else _steps(self.low, self.high)


def linear(values: Sequence[float], begin: float, end: float, *, from_zero: bool = True) -> Scale:
    """A scale that holds all ``values``, and 0 with ``from_zero``."""
    low = min(0.0, *values) if from_zero else min(values)
    high = max(values)
    if high <= low:
        high = low + (abs(low) or 1.0)
    return Scale(low, high if not from_zero else high * 1.05, begin, end)


def logarithmic(values: Sequence[float], begin: float, end: float) -> Scale:
    """A scale that holds all positive ``values``."""
    positive = [value for value in values if value > 0] or [1.0]
    low, high = min(positive), max(positive)
    if high <= low * 1.5:
        low, high = low / 1.5, high * 1.5
    return Scale(low, high, begin, end, logarithmic=True)


def _steps(low: float, high: float) -> list[float]:
    rough = (high - low) / _MARKS
    size = 10 ** math.floor(math.log10(rough))
    step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
    first = math.ceil(low / step - 1e-9)
    return [round(number * step, 12) for number in range(first, math.floor(high / step + 1e-9) + 1)]


def _powers(low: float, high: float) -> list[float]:
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    factors = (1,) if high / low > 1000 else (1, 2, 5)
    found = [factor * 10.0**at for at in exponents for factor in factors if low <= factor * 10.0**at <= high]
    return found if len(found) >= _FEWEST_MARKS else _steps(low, high)


def seconds_text(value: float) -> str:
    """``35 ms``, ``1.2 s``: a duration for a reader."""
    if value == 0:
        return "0"
    return f"{value * 1000:.3g} ms" if abs(value) < 1 else f"{value:.3g} s"


def number_text(value: float) -> str:
    """A number for a reader."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def share_text(value: float) -> str:
    """``35%``."""
    return f"{100 * value:.3g}%"


Format = Callable[[float], str]
