"""Questions about the newest part of the past: sums, rates, levels, ratios and quantiles over a window."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from podium.monitor.catalog import EVERYTHING, HISTOGRAMS, Catalog, Key
from podium.monitor.quantiles import quantile
from podium.monitor.rings import COARSE_STEP, FINE_SECONDS, Rings

Column = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Steps:
    """A time axis: ``count`` steps of ``seconds`` each, the newest last; a point looks back ``window_seconds``."""

    count: int
    seconds: int
    window_seconds: int

    @property
    def span_seconds(self) -> int:
        """The length of the axis."""
        return self.count * self.seconds


class Windows:
    """Answers from the rings. None and NaN mean that nothing is known, which is not 0."""

    def __init__(self, rings: Rings, catalog: Catalog) -> None:
        self._rings = rings
        self.catalog = catalog

    def increase(self, key: Key, seconds: int) -> float | None:
        """What was added to a counter in the newest ``seconds``; None where nothing was learnt in all of them."""
        return _sum(self._slots([key], seconds)[0])

    def known_seconds(self, key: Key, seconds: int) -> float:
        """How much of the newest ``seconds`` is covered by what was learnt of a counter."""
        row, covered = self._rings.read([self.catalog.rows[key], self._rings.covered], seconds)[0]
        return min(float(seconds), float(np.nansum(np.where(np.isnan(row), np.nan, covered))))

    def share(self, part: Key, others: Sequence[Key], seconds: int) -> tuple[float | None, float]:
        """``part`` of ``part`` and ``others`` together, 0 to 1, and how many that were."""
        sums = [_sum(row) for row in self._slots([part, *others], seconds)]
        total = sum(value for value in sums if value is not None)
        return (None if sums[0] is None or total <= 0 else sums[0] / total), total

    def lowest(self, key: Key, seconds: int) -> float | None:
        """The lowest level; None where it was known in less than half of the window."""
        row = self._slots([key], seconds)[0]
        known = row[~np.isnan(row)]
        return float(known.min()) if known.size * 2 >= max(1, row.size) else None

    def highest(self, key: Key, seconds: int, *, before: int) -> float | None:
        """The highest level in a window that ended ``before`` seconds ago; None where it was never known in it."""
        row = self._slots([key], seconds + before)[0][:-before]
        known = row[~np.isnan(row)]
        return float(known.max()) if known.size else None

    def latest(self, key: Key) -> float | None:
        """The level of the newest slot."""
        row = self._slots([key], 1)[0]
        return None if row.size == 0 or np.isnan(row[-1]) else float(row[-1])

    def quantile(self, share: float, model: str, figure: str, seconds: int) -> tuple[float | None, float]:
        """A quantile of a model's histogram, and of how many values it is one."""
        slots, _ = self._rings.read(self.catalog.buckets(model, figure), seconds)
        counts = np.nansum(slots.astype(np.float64), axis=1)[:, None]
        value = float(quantile(share, HISTOGRAMS[figure], counts)[0])
        return (None if np.isnan(value) else value), float(counts[-1, 0])

    def rate_points(self, keys: Sequence[Key], steps: Steps) -> Column:
        """Increments a second of all ``keys`` together, at each step."""
        rows, covered = self._with_cover([self.catalog.rows[key] for key in keys], steps)
        total = _looking_back(np.nansum(rows, axis=0), steps)
        seconds = _looking_back(covered, steps)
        empty = _stepped_all_nan(np.where(np.isnan(rows).all(axis=0), np.nan, 1.0), steps)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where((seconds > 0) & ~empty, total / seconds, np.nan)

    def share_points(self, part: Sequence[Key], others: Sequence[Key], steps: Steps) -> Column:
        """``part`` of ``part`` and ``others``, 0 to 1, at each step; NaN where both are 0."""
        above, below = self.rate_points(part, steps), self.rate_points(others, steps)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(above + below > 0, above / (above + below), np.nan)

    def level_points(self, key: Key, steps: Steps) -> Column:
        """The mean level within each step."""
        rows, _ = self._with_cover([self.catalog.rows[key]], steps)
        slots = _stepped(rows[0], steps)
        known = ~np.isnan(slots)
        count = known.sum(axis=1)
        return np.where(count > 0, np.where(known, slots, 0).sum(axis=1) / np.maximum(count, 1), np.nan)

    def quantile_points(self, share: float, model: str, figure: str, steps: Steps) -> Column:
        """A quantile of a histogram at each step, of the values in its window."""
        rows, _ = self._with_cover(self.catalog.buckets(model, figure), steps)
        counts = np.stack([_looking_back(np.nan_to_num(row), steps) for row in rows])
        empty = _stepped_all_nan(rows[-1], steps)
        return np.where(empty, np.nan, quantile(share, HISTOGRAMS[figure], counts))

    def _slots(self, keys: Sequence[Key], seconds: int) -> npt.NDArray[np.float32]:
        return self._rings.read([self.catalog.rows[key] for key in keys], seconds)[0]

    def _with_cover(self, rows: Sequence[int], steps: Steps) -> tuple[Column, Column]:
        """Rows, and the seconds that their slots cover, from the first step's window on where they are kept."""
        seconds = steps.span_seconds + steps.window_seconds - steps.seconds
        if steps.span_seconds <= FINE_SECONDS:
            seconds = min(seconds, FINE_SECONDS)  # more would be read in slots of ten seconds
        slots = self._rings.read([*rows, self._rings.covered], seconds)[0].astype(np.float64)
        return slots[:-1], slots[-1]


def everything(figure: str) -> Key:
    """The key of a figure of everything together."""
    return Key("all", EVERYTHING, figure)


def _sum(row: npt.NDArray[np.float32]) -> float | None:
    known = row[~np.isnan(row)]
    return float(known.astype(np.float64).sum()) if known.size else None


def _slot_seconds(steps: Steps) -> int:
    return 1 if steps.span_seconds <= FINE_SECONDS else COARSE_STEP


def _fitted(row: Column, slots: int) -> Column:
    """The last ``slots`` values of ``row``, NaN before its beginning."""
    short = max(0, slots - row.size)
    return np.concatenate([np.full(short, np.nan), row[-slots:] if slots else row[:0]])


def _stepped(row: Column, steps: Steps) -> Column:
    """The slots of each step, shape (steps, slots in a step)."""
    width = steps.seconds // _slot_seconds(steps)
    return _fitted(row, steps.count * width).reshape(steps.count, width)


def _stepped_all_nan(row: Column, steps: Steps) -> npt.NDArray[np.bool_]:
    return np.asarray(np.isnan(_stepped(row, steps)).all(axis=1))


def _looking_back(row: Column, steps: Steps) -> Column:
    """At each step, the sum over its window."""
    width, back = steps.seconds // _slot_seconds(steps), steps.window_seconds // _slot_seconds(steps)
    slots = np.nan_to_num(_fitted(row, steps.count * width + back - width))
    sums = np.concatenate([[0.0], np.cumsum(slots)])
    ends = np.arange(steps.count) * width + back
    return np.asarray(sums[ends] - sums[ends - back])
