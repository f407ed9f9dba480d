"""The course of rollouts: the state that events lead to, and the evidence that intervals add up to.

Pure: the same events and intervals in the same order give the same course, bit for bit. The history keeps them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self

import msgspec

from podium.rollout.analysis.evidence import Evidence
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.latency_process import Thresholds
from podium.rollout.analysis.policy import COUNTED, CountedMetric, TimedMetric
from podium.rollout.analysis.shadow_evidence import Pair, ShadowEvidence
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.events import Acknowledged, Event, Started
from podium.rollout.state import WHOLE, RolloutState
from podium.rollout.transitions import after

_MOST_POINTS = 120


class Observed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One closed interval, as it is kept.

    ``rollout`` is that rollout's number, ``units`` what the canary got of 10,000, ``began`` and ``ended`` are seconds
    since 1970. ``pairs``: answers to copied requests; ``undecided``: attempts whose outcome was not waited for;
    ``cut``: answers of the canary that broke.
    """

    rollout: int
    units: int
    began: float
    ended: float
    interval: Interval
    undecided: int = 0
    cut: int = 0
    pairs: tuple[Pair, ...] = ()


class Point(msgspec.Struct, frozen=True):
    """What was known after an interval: ``log_e`` is the evidence against the canary, as a natural logarithm."""

    at: float
    units: int
    log_e: float
    errors: Stratum


class Passed(msgspec.Struct, frozen=True, kw_only=True):
    """The intervals of the present weights: how many, and what they counted by metric."""

    units: int = 0
    intervals: int = 0
    counts: dict[CountedMetric, Stratum] = {}

    def after(self, observed: Observed) -> Passed:
        """With one interval more; other weights begin anew."""
        base = self if observed.units == self.units else Passed(units=observed.units)
        counts = {
            metric: base.counts.get(metric, Stratum()) + observed.interval.counts.get(metric, Stratum())
            for metric in COUNTED
            if metric in base.counts or metric in observed.interval.counts
        }
        return Passed(units=observed.units, intervals=base.intervals + 1, counts=counts)


class Course(msgspec.Struct, frozen=True, kw_only=True):
    """Where rollouts stand, and what is known of the present canary.

    Attributes:
        evidence: None before the first interval in which both arms had a share.
        passed: the intervals since the weights last moved.
        seen_since, seen_until: the first interval's beginning and the last one's end, seconds since 1970; what arrived
            before the end is counted. None and 0 before the first interval.
        slow_above: what was slow by the stable version's answers before the first step; empty: not known.
        shadow: what answers to copied requests tell; None before the first one.
        undecided: attempts of this rollout whose outcome was not waited for.
        cut: answers of its canary that broke after their first byte.
    """

    state: RolloutState = RolloutState()
    evidence: Evidence | None = None
    passed: Passed = Passed()
    slow_above: Mapping[TimedMetric, Thresholds] = {}
    shadow: ShadowEvidence | None = None
    points: tuple[Point, ...] = ()
    seen_since: float | None = None
    seen_until: float = 0.0
    undecided: int = 0
    cut: int = 0

    def after(self, event: Event) -> Self:
        """The course once ``event`` has happened.

        Raises:
            Conflict: it cannot happen now.
        """
        state = after(self.state, event)
        if isinstance(event, Started):
            return type(self)(state=state)
        if isinstance(event, Acknowledged) and event.slow_above:
            return msgspec.structs.replace(self, state=state, slow_above=event.slow_above)
        return msgspec.structs.replace(self, state=state)

    def observe(self, observed: Observed) -> Self:
        """The course one interval later. Pairs are counted by themselves: nobody was assigned to an arm then."""
        if observed.pairs:
            return msgspec.structs.replace(self, shadow=self._shadow_after(observed.pairs))
        evidence = self._evidence_after(observed)
        point = Point(
            observed.ended,
            observed.units,
            evidence.log_e if evidence else 0.0,
            observed.interval.counts.get("errors", Stratum()),
        )
        return msgspec.structs.replace(
            self,
            evidence=evidence,
            passed=self.passed.after(observed),
            points=(*self.points, point)[-_MOST_POINTS:],
            seen_since=observed.began if self.seen_since is None else self.seen_since,
            seen_until=observed.ended,
            undecided=self.undecided + observed.undecided,
            cut=self.cut + observed.cut,
        )

    @property
    def stands(self) -> bool:
        """Whether what is known is about the present weights."""
        return self.passed.intervals > 0 and self.passed.units == self.state.wanted_units

    def _shadow_after(self, pairs: tuple[Pair, ...]) -> ShadowEvidence:
        terms = self.state.terms.shadow
        known = self.shadow or ShadowEvidence.start("good" if terms is None else terms.check)
        return known.after(pairs)

    def _evidence_after(self, observed: Observed) -> Evidence | None:
        """With all traffic on the canary there is nothing to compare with: such an interval adds nothing."""
        if observed.units >= WHOLE or not observed.units:
            return self.evidence
        share = observed.units / WHOLE
        if self.evidence is None:
            terms = self.state.terms
            known = Evidence.start(terms.measured, share, terms.weights).slow_above(self.slow_above)
        elif self.evidence.sample_ratio.share != share:
            known = self.evidence.at_step(share)
        else:
            known = self.evidence
        return known.after(observed.interval)
