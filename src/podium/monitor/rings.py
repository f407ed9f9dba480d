"""The newest hour by the second and the newest day by ten seconds, in arrays of a fixed size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

FINE_SECONDS = 3600
COARSE_STEP = 10
COARSE_SLOTS = 8640

Floats = npt.NDArray[np.float32]


class Rings:
    """``rows`` figures over time. A slot in which nothing was learnt holds NaN, never 0.

    Counters are kept as increments, so a sum over slots is what happened in them, across restarts and replicas;
    ``levels`` names the rows that are levels instead, which are averaged where slots are merged. Increments below
    16,777,216 a slot are exact. Slots are whole seconds of a clock that never goes back.
    """

    def __init__(self, rows: int, levels: Sequence[int] = ()) -> None:
        self._fine = np.full((rows + 1, FINE_SECONDS), np.nan, dtype=np.float32)  # the last row: seconds covered
        self._coarse = np.full((rows + 1, COARSE_SLOTS), np.nan, dtype=np.float32)
        self._is_level = np.zeros(rows + 1, dtype=bool)
        self._is_level[list(levels)] = True
        self.covered = rows
        self.newest: int | None = None

    @property
    def nbytes(self) -> int:
        """Size of the arrays."""
        return self._fine.nbytes + self._coarse.nbytes

    def write(self, second: int, values: Mapping[int, float], *, covered_seconds: float) -> None:
        """Put down what was learnt at ``second``, which must be later than every second before it.

        ``covered_seconds``: the time over which increments were counted. Skipped seconds stay empty.
        """
        if self.newest is not None and second <= self.newest:
            raise ValueError("slots are written in the order of time: this is a bug")
        self._advance(second)
        column = second % FINE_SECONDS
        self._fine[self.covered, column] = covered_seconds
        for row, value in values.items():
            self._fine[row, column] = value
        self._merge(second)

    def read(self, rows: Sequence[int], seconds: int) -> tuple[Floats, int]:
        """The slots of the newest ``seconds``, shape (rows, slots), oldest first, and the seconds in each slot.

        Up to an hour a slot is one second, beyond that ten, of which the newest may still be filling.
        """
        if self.newest is None:
            return np.empty((len(rows), 0), dtype=np.float32), 1
        if seconds <= FINE_SECONDS:
            return self._last(self._fine, rows, self.newest, seconds), 1
        count = min(COARSE_SLOTS, -(-seconds // COARSE_STEP))
        return self._last(self._coarse, rows, self.newest // COARSE_STEP, count), COARSE_STEP

    def _last(self, ring: Floats, rows: Sequence[int], newest: int, count: int) -> Floats:
        columns = np.arange(newest - count + 1, newest + 1) % ring.shape[1]
        found: Floats = ring[np.asarray(rows, dtype=np.intp)[:, None], columns]
        return found

    def _advance(self, second: int) -> None:
        if self.newest is not None:
            _clear(self._fine, self.newest + 1, second)
            _clear(self._coarse, self.newest // COARSE_STEP + 1, second // COARSE_STEP)
        self.newest = second

    def _merge(self, second: int) -> None:
        """Write the ten seconds around ``second`` anew from what is there of them."""
        first = second - second % COARSE_STEP
        slots = self._fine[:, np.arange(first, second + 1) % FINE_SECONDS]
        known = ~np.isnan(slots)
        count = known.sum(axis=1)
        total = np.where(known, slots, 0).sum(axis=1)
        merged = np.where(self._is_level, total / np.maximum(count, 1), total)
        self._coarse[:, (second // COARSE_STEP) % COARSE_SLOTS] = np.where(count > 0, merged, np.nan)


def _clear(ring: Floats, first: int, last: int) -> None:
    count = min(last - first + 1, ring.shape[1])
    if count > 0:
        ring[:, np.arange(last - count + 1, last + 1) % ring.shape[1]] = np.nan
