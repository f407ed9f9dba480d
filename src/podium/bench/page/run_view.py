"""One run as the report sees it: the result, its requests and its samples on one time axis."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from podium.bench.phases import Phases
from podium.bench.record import Outcome, RequestRecord
from podium.bench.result import RunResult
from podium.bench.sampling import Sample

_STEPS = 240


@dataclass(frozen=True)
class RunView:
    """A run and what lies beside it. Times of ``samples`` are unix seconds, all others count from the run's start."""

    result: RunResult
    records: Sequence[RequestRecord] = ()
    samples: Sequence[Sample] = ()
    phases: Phases | None = None  # where the time went, when the server's log is at hand

    @property
    def measured(self) -> list[RequestRecord]:
        """Requests that succeeded after the warm-up."""
        return [record for record in self.records if not record.warm_up and record.outcome is Outcome.OK]

    @property
    def window(self) -> tuple[float, float] | None:
        """What the figures are about; None for an INVALID run, which has none."""
        summary = self.result.summary
        return None if summary is None else (summary.window.begin, summary.window.end)

    @property
    def end(self) -> float:
        """Last known moment."""
        return max((record.ended_at or record.scheduled_at for record in self.records), default=0.0)

    def values(self, of: Callable[[RequestRecord], float | None]) -> NDArray[np.float64]:
        """A figure of every measured request that has it, ascending."""
        found = [value for record in self.measured if (value := of(record)) is not None]
        return np.sort(np.array(found, dtype=np.float64))

    @property
    def started_unix(self) -> float:
        """Moment 0 of the run."""
        return datetime.fromisoformat(self.result.provenance.started_at).timestamp()

    def moments(self) -> NDArray[np.float64]:
        """Points in time that a series is drawn at."""
        return np.linspace(0.0, max(self.end, 1e-3), _STEPS)

    def in_flight(self) -> NDArray[np.float64]:
        """Requests in flight at each of ``moments``."""
        begun = _sorted(record.begun_at for record in self.records)
        ended = _sorted(record.ended_at for record in self.records)
        at = self.moments()
        inside = np.searchsorted(begun, at, side="right") - np.searchsorted(ended, at, side="right")
        return inside.astype(np.float64)

    def per_second(self, stamps: Iterable[float | None]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """How many stamps a second, counted in whole seconds (longer steps for long runs)."""
        known = _sorted(stamps)
        step = max(1.0, self.end / _STEPS)
        edges = np.arange(0.0, self.end + step, step)
        counts, _ = np.histogram(known, bins=edges)
        return (edges[:-1] + edges[1:]) / 2, counts / step

    def sampled(self, of: Callable[[Sample], float | None]) -> tuple[list[float], list[float | None]]:
        """A figure of the samples taken while the run went on."""
        start = self.started_unix
        kept = [sample for sample in self.samples if 0 <= sample.at - start <= self.end]
        return [sample.at - start for sample in kept], [of(sample) for sample in kept]


def _sorted(stamps: Iterable[float | None]) -> NDArray[np.float64]:
    return np.sort(np.array([at for at in stamps if at is not None], dtype=np.float64))
