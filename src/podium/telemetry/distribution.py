"""One series of a histogram that is counted here: fixed buckets, exponential ones, and an example for each bucket.

The library's own histogram takes 2 us for a value and knows no exponential buckets; this one is asked for every gap
between tokens.
"""

from __future__ import annotations

import time
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from math import frexp

from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString

from podium.core.trace_context import TraceContext

SCHEMA = 3
"""Of exponential buckets: 2**3 for each doubling, so that a bucket's bounds are 9 % apart."""
_STEPS = 2**SCHEMA
_FRACTIONS = tuple(2.0 ** (step / _STEPS - 1) for step in range(_STEPS))
ZERO_THRESHOLD = 2.0**-40
"""Seconds (a picosecond) up to which a value counts as zero in exponential buckets."""


class Distribution:
    """Counts values; for one thread. ``bounds`` are upper bounds, ascending; the infinite one is understood.

    Attributes:
        total: sum of all values.
        exponential: counts by the number of the bucket; number k holds values in (2**((k-1)/8), 2**(k/8)].
        zeros: values at or below ``ZERO_THRESHOLD``.
    """

    __slots__ = ("_bounds", "_counts", "_exemplars", "exponential", "total", "zeros")

    def __init__(self, bounds: Sequence[float]) -> None:
        self._bounds = tuple(bounds)
        self._counts = [0] * (len(self._bounds) + 1)
        self._exemplars: list[Exemplar | None] = [None] * len(self._counts)
        self.exponential: dict[int, int] = {}
        self.total = 0.0
        self.zeros = 0

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self._counts)

    def observe(self, value: float, trace: TraceContext | None = None) -> None:
        """Count ``value``, which is not negative; with its ``trace`` it becomes the example of its bucket."""
        place = bisect_left(self._bounds, value)
        self._counts[place] += 1
        self.total += value
        if value <= ZERO_THRESHOLD:
            self.zeros += 1
        else:
            fraction, exponent = frexp(value)
            number = _STEPS * (exponent - 1) + bisect_left(_FRACTIONS, fraction)
            self.exponential[number] = self.exponential.get(number, 0) + 1
        if trace is not None:
            self._exemplars[place] = Exemplar(
                {"trace_id": trace.trace_id, "span_id": trace.span_id}, value, time.time()
            )

    def buckets(self) -> Iterator[tuple[float, int, Exemplar | None]]:
        """Upper bound, values up to it, and the newest example of the bucket; the infinite bound last."""
        seen = 0
        for bound, count, exemplar in zip((*self._bounds, float("inf")), self._counts, self._exemplars, strict=True):
            seen += count
            yield bound, seen, exemplar

    def written_buckets(self) -> list[tuple[str, int, Exemplar | None]]:
        """The same as an exposition writes bounds."""
        return [(floatToGoString(bound), seen, exemplar) for bound, seen, exemplar in self.buckets()]  # type: ignore[no-untyped-call]
