"""Evidence that the canary is slower, from how many requests exceed quantiles of the stable version.

Percentiles of unequal groups must not be compared: the 95th of 60 samples is biased against the 95th of 540. Instead
three quantiles of earlier stable samples are frozen, and being above one is a yes-or-no metric like any other
(rollout specification, section 3.2). The thresholds are older than what they classify, so products may go on when
they are frozen anew.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Self

import msgspec

from podium.rollout.analysis.fisher_process import FisherProcess
from podium.rollout.analysis.mixture import log_mean
from podium.rollout.analysis.stratum import Stratum

QUANTILES = (0.5, 0.9, 0.99)
BASELINE_SAMPLES = 2000  # the newest stable samples that thresholds are made from
LEAST_SAMPLES = 200  # below it the 99th percentile is one of the two largest samples: too accidental to freeze


Thresholds = tuple[float, float, float]
"""Seconds above which a request is slow, for each quantile."""


class Samples(msgspec.Struct, frozen=True):
    """Seconds of one interval's requests; of one that still runs its age, once that exceeds every threshold.

    Raises:
        ValueError: a sample is negative or not finite.
    """

    stable: tuple[float, ...] = ()
    canary: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        wrong = [value for value in (*self.stable, *self.canary) if not (math.isfinite(value) and value >= 0)]
        if wrong:
            raise ValueError(f"a duration of {wrong[0]} s; needed: finite, 0 or more")


class LatencyProcess(msgspec.Struct, frozen=True):
    """Three e-processes, one for each frozen quantile, and the samples that the next thresholds come from."""

    thresholds: Thresholds | None = None
    baseline: tuple[float, ...] = ()
    processes: tuple[FisherProcess, FisherProcess, FisherProcess] = (FisherProcess(), FisherProcess(), FisherProcess())

    def after(self, samples: Samples) -> Self:
        """One interval later. Until there are thresholds, stable samples are only collected."""
        counted = self if self.thresholds is None else self._counted(samples, self.thresholds)
        baseline = (*self.baseline, *samples.stable)[-BASELINE_SAMPLES:]
        grown = msgspec.structs.replace(counted, baseline=baseline)
        return grown.frozen() if self.thresholds is None and len(baseline) >= BASELINE_SAMPLES else grown

    def frozen(self) -> Self:
        """With thresholds from the newest stable samples; as it was while there are too few."""
        if len(self.baseline) < LEAST_SAMPLES:
            return self
        low, middle, high = (quantile(self.baseline, share) for share in QUANTILES)
        return msgspec.structs.replace(self, thresholds=(low, middle, high))

    @property
    def log_e(self) -> float:
        """The natural logarithm of the evidence that the canary is slower."""
        return log_mean([process.log_e for process in self.processes])

    def _counted(self, samples: Samples, thresholds: tuple[float, float, float]) -> Self:
        low, middle, high = (
            process.after(slow_counts(samples, threshold))
            for process, threshold in zip(self.processes, thresholds, strict=True)
        )
        return msgspec.structs.replace(self, processes=(low, middle, high))


def slow_counts(samples: Samples, threshold: float) -> Stratum:
    """How many requests of each arm took strictly longer than ``threshold`` seconds."""
    return Stratum(
        len(samples.stable),
        sum(value > threshold for value in samples.stable),
        len(samples.canary),
        sum(value > threshold for value in samples.canary),
    )


def quantile(samples: Sequence[float], share: float) -> float:
    """The smallest sample that at least ``share`` of all do not exceed (no interpolation: ties stay ties)."""
    ordered = sorted(samples)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
