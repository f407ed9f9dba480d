"""What happened to both arms in one interval."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podium.rollout.analysis.latency_process import Samples
from podium.rollout.analysis.policy import CountedMetric, TimedMetric
from podium.rollout.analysis.stratum import Stratum


class Interval(msgspec.Struct, frozen=True):
    """One stretch of time, closed: each request that *arrived* in it is decided, or older than every threshold.

    Attributes:
        counts: attempts and bad ones by metric. Bad in ``errors``: 5xx, reset, timeout or no healthy host, for each
            attempt; the arm is that of the first attempt. ``aborted``: the stream ended after its first byte.
            ``validity``: an empty or unusable answer. At most one bad a user key should be counted.
        samples: durations in seconds by metric.
        assigned: assignments to (stable, canary) that were made at random; None counts the attempts of ``errors``.
    """

    counts: Mapping[CountedMetric, Stratum] = {}
    samples: Mapping[TimedMetric, Samples] = {}
    assigned: tuple[int, int] | None = None

    @property
    def assignments(self) -> tuple[int, int]:
        """What was drawn for the stable and the canary arm."""
        if self.assigned is not None:
            return self.assigned
        errors = self.counts.get("errors", Stratum())
        return errors.stable_attempts, errors.canary_attempts

    @property
    def attempts(self) -> tuple[int, int]:
        """Attempts of the stable and the canary arm; those of users who come back are no assignments."""
        errors = self.counts.get("errors")
        return self.assignments if errors is None else (errors.stable_attempts, errors.canary_attempts)
