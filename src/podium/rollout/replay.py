"""Judging what was recorded, interval by interval, as a controller would have while it happened."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from podium.core.errors import InvalidRequest
from podium.rollout.analysis.evidence import Evidence
from podium.rollout.analysis.judgement import judge
from podium.rollout.analysis.policy import Metric, Policy
from podium.rollout.analysis.verdict import Verdict
from podium.rollout.recording import RecordedInterval, Recording


class Look(msgspec.Struct, frozen=True):
    """What was known after an interval."""

    interval: str
    share: float
    evidence: Evidence
    verdict: Verdict

    @property
    def log_e(self) -> float:
        """The natural logarithm of the combined evidence against the canary, then."""
        return self.evidence.log_e


class Replay(msgspec.Struct, frozen=True):
    """Every look. The last one's verdict is the recording's: a rollback is never taken back."""

    looks: tuple[Look, ...]

    @property
    def last(self) -> Look:
        """The end of the recording."""
        return self.looks[-1]

    @property
    def decided(self) -> Look:
        """The first look with the verdict that stands at the end, and stood from then on."""
        kind = type(self.last.verdict)
        since = self.last
        for look in reversed(self.looks):
            if type(look.verdict) is not kind:
                break
            since = look
        return since


def replay(recording: Recording, policy: Policy, weights: Mapping[Metric, float], share: float | None) -> Replay:
    """Judge a recording. ``share``: the declared share of intervals that name none; None when all do.

    Raises:
        InvalidRequest: an interval names no share and none is given.
    """
    looks: list[Look] = []
    evidence: Evidence | None = None
    for recorded in recording.intervals:
        declared = _declared(recorded, share, recording)
        if evidence is None:
            evidence = _start(recording, declared, weights)
        elif declared != evidence.sample_ratio.share:
            evidence = evidence.at_step(declared)
        evidence = evidence.after(recorded.interval)
        looks.append(Look(recorded.name, declared, evidence, judge(evidence, policy)))
    return Replay(tuple(looks))


def _start(recording: Recording, share: float, weights: Mapping[Metric, float]) -> Evidence:
    try:
        return Evidence.start(recording.metrics, share, weights).slow_above(recording.slow_above)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error


def _declared(recorded: RecordedInterval, share: float | None, recording: Recording) -> float:
    declared = recorded.share if recorded.share is not None else share
    if declared is None:
        raise InvalidRequest(
            f"interval {recorded.name} names no share; give the one that your traffic splitter was told, as --share "
            f"or as a column (counted in the file: {recording.counted_share:.3g})"
        )
    return declared
