"""Everything that has been learnt about a canary: a value that grows by intervals and can be kept as JSON."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Self

import msgspec

from podium.rollout.analysis.combination import combined, strongest, weights_of
from podium.rollout.analysis.fisher_process import FisherProcess
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.latency_process import LatencyProcess, Samples, Thresholds
from podium.rollout.analysis.policy import COUNTED, TIMED, WEIGHTS, CountedMetric, Metric, TimedMetric
from podium.rollout.analysis.sample_ratio import SampleRatio
from podium.rollout.analysis.stratum import Stratum

_ENCODER = msgspec.json.Encoder(order="deterministic")


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """The state of a judgement. Evidence against the canary runs on over all steps; counts for its promotion do not.

    ``peak_log_e`` and ``peak_metric`` are the highest combined evidence so far and what caused it: a canary that was
    once found bad stays so. ``idle_stable`` and ``idle_canary`` count the newest intervals without attempts.
    """

    weights: Mapping[Metric, float]
    counted: Mapping[CountedMetric, FisherProcess]
    timed: Mapping[TimedMetric, LatencyProcess]
    totals: Mapping[CountedMetric, Stratum]
    sample_ratio: SampleRatio
    intervals: int = 0
    idle_stable: int = 0
    idle_canary: int = 0
    peak_log_e: float = 0.0
    peak_metric: Metric | None = None

    @classmethod
    def start(cls, metrics: Collection[Metric], share: float, weights: Mapping[Metric, float] = WEIGHTS) -> Self:
        """No evidence yet. ``metrics``: what will be measured; ``share``: the canary's part of traffic, 0 to 1.

        Raises:
            ValueError: no counted metric is measured, none of the metrics has a weight, or the share is none.
        """
        _check_share(share)
        counted = [metric for metric in COUNTED if metric in metrics]
        if not counted:
            raise ValueError(f"a canary is promoted on counts; measure one of {', '.join(COUNTED)}")
        return cls(
            weights=weights_of(metrics, weights),
            counted={metric: FisherProcess() for metric in counted},
            timed={metric: LatencyProcess() for metric in TIMED if metric in metrics},
            totals={metric: Stratum() for metric in counted},
            sample_ratio=SampleRatio(share),
        )

    def slow_above(self, known: Mapping[TimedMetric, Thresholds]) -> Self:
        """The same with what was slow before it began, where that is known and the metric is measured."""
        timed = {
            metric: msgspec.structs.replace(process, thresholds=known.get(metric, process.thresholds))
            for metric, process in self.timed.items()
        }
        return msgspec.structs.replace(self, timed=timed)

    def after(self, interval: Interval) -> Self:
        """One closed interval later. Metrics that were not announced at the start are left out."""
        stable, canary = interval.assignments
        stable_attempts, canary_attempts = interval.attempts
        counted = {m: process.after(interval.counts.get(m, Stratum())) for m, process in self.counted.items()}
        timed = {m: process.after(interval.samples.get(m, Samples())) for m, process in self.timed.items()}
        grown = msgspec.structs.replace(
            self,
            counted=counted,
            timed=timed,
            totals={m: total + interval.counts.get(m, Stratum()) for m, total in self.totals.items()},
            sample_ratio=self.sample_ratio.after(stable=stable, canary=canary),
            intervals=self.intervals + 1,
            idle_stable=0 if stable_attempts else self.idle_stable + 1,
            idle_canary=0 if canary_attempts else self.idle_canary + 1,
        )
        return grown._with_peak()  # noqa: SLF001 - a value of this class

    def at_step(self, share: float) -> Self:
        """A new step: promotion is earned anew, latency thresholds are frozen anew, everything else goes on.

        Raises:
            ValueError: the share is none.
        """
        _check_share(share)
        return msgspec.structs.replace(
            self,
            timed={metric: process.frozen() for metric, process in self.timed.items()},
            totals={metric: Stratum() for metric in self.totals},
            sample_ratio=self.sample_ratio.at(share),
            intervals=0,
            idle_stable=0,
            idle_canary=0,
        )

    @property
    def log_es(self) -> dict[Metric, float]:
        """The natural logarithm of the evidence of each metric, now."""
        counted: dict[Metric, float] = {metric: process.log_e for metric, process in self.counted.items()}
        return counted | {metric: process.log_e for metric, process in self.timed.items()}

    @property
    def log_e(self) -> float:
        """The natural logarithm of the combined evidence that the canary is worse, now."""
        return combined(self.log_es, self.weights)

    def to_json(self) -> bytes:
        """The whole state; the same evidence always gives the same bytes."""
        return _ENCODER.encode(self)

    @classmethod
    def from_json(cls, document: bytes) -> Self:
        """The evidence that ``to_json`` wrote.

        Raises:
            msgspec.ValidationError: the document is not one.
        """
        return msgspec.json.decode(document, type=cls)

    def _with_peak(self) -> Self:
        log_e = self.log_e
        if log_e <= self.peak_log_e:
            return self
        return msgspec.structs.replace(self, peak_log_e=log_e, peak_metric=strongest(self.log_es, self.weights))


def _check_share(share: float) -> None:
    if not 0 < share <= 1:
        raise ValueError(f"a canary share of {share}; needed: above 0, at most 1")
