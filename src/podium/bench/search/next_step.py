"""Where to look next for the highest rate: bracket by doubling, bisect, look again at both edges.

A probe passes when the bounds on *every* criterion clear what is allowed, fails when the bound on one shows that it is
missed, and is unclear otherwise. An unclear rate is near the limit; it never becomes an edge, the search goes on to its
sides. The answer is the interval from the highest rate that passed to the lowest that failed. ``alpha`` is shared
among all probes, so that the whole interval holds with ``confidence``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import StrEnum
from itertools import groupby

import msgspec

from podium.bench.search.bounds import lower_bound, upper_bound
from podium.bench.search.estimate import estimate
from podium.bench.search.history import Criterion, Probe

_STEP = 2.0
_NEARBY = 1.3  # rates within this factor have bursts of about the same size
_NEAR_THE_LIMIT = 4.0  # of what is allowed; above it a growing queue is taken for a burst


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How to search. ``tolerance``: the interval's wanted width, relative (0.05 is 5 %)."""

    start: float
    least: float
    most: float
    tolerance: float = 0.05
    confidence: float = 0.99
    most_runs: int = 24
    tests: int = 2  # each edge is run so often before it is believed
    looks: int = 3  # so many runs near the limit where the interval stays wider than asked


class State(StrEnum):
    """What all runs at one rate say together."""

    PASSES = "passes"
    FAILS = "fails"
    UNCLEAR = "unclear"


class Found(msgspec.Struct, frozen=True, kw_only=True):
    """The answer. ``passes`` None: not even the lowest rate did; ``fails`` None: not even the highest did."""

    passes: float | None
    fails: float | None
    confidence: float
    estimate: float | None  # where the limit most likely is, within the interval
    runs: int
    seconds: float
    why: str


def next_step(history: Sequence[Probe], plan: Plan) -> float | Found:
    """The next rate to run at, or the answer."""
    known = _states(history, plan)
    passed = max((rate for rate, state in known.items() if state is State.PASSES), default=None)
    failed = min((rate for rate, state in known.items() if state is State.FAILS), default=None)
    if passed is not None and failed is not None and passed >= failed:
        return _settle(history, plan, passed, failed)
    if len(history) >= plan.most_runs:
        return _found(history, plan, known, "the runs that were allowed are used up")
    rate = _bracket(known, plan, passed, failed) or _between(known, plan, passed, failed)
    rate = rate or _again(history, plan, passed, failed) or _at_the_limit(history, plan, passed, failed)
    return rate if rate is not None else _found(history, plan, known, _why(plan, passed, failed))


def state_at(probes: Sequence[Probe], plan: Plan, history: Sequence[Probe] = ()) -> State:
    """What the runs at one rate say together. Runs that contradict each other say nothing.

    ``history``: every run; what those at nearby rates show of how bad requests come in bursts is held against passing,
    since a run that happens to have no burst cannot show it.
    """
    if all(probe.overloaded for probe in probes):
        return State.FAILS
    alpha = (1 - plan.confidence) / plan.most_runs
    pooled = _pooled(probes)
    missed = any(lower_bound(one.bad, one.count, alpha) > one.allowed for one in pooled)
    if missed and not any(_looks_good(probe) for probe in probes):
        return State.FAILS
    careful = [_as_bursty_as(one, history, probes[0].rate) for one in pooled]
    kept = all(upper_bound(one.bad, one.count, alpha) <= one.allowed for one in careful)
    steady = all(_looks_good(probe) and not probe.drifting for probe in probes)
    return State.PASSES if kept and steady else State.UNCLEAR


def _looks_good(probe: Probe) -> bool:
    return not probe.overloaded and all(one.share <= one.allowed for one in probe.criteria)


def _as_bursty_as(pooled: Criterion, history: Sequence[Probe], rate: float) -> Criterion:
    """The criterion, with no more effective requests than the burstiest run nearby leaves."""
    near = [
        one.effect
        for probe in history
        if rate / _NEARBY <= probe.rate <= rate * _NEARBY and not probe.overloaded
        for one in probe.criteria
        if one.name == pooled.name and one.share <= _NEAR_THE_LIMIT * one.allowed
    ]
    scale = max([1.0, *(effect / pooled.effect for effect in near)])
    return msgspec.structs.replace(pooled, bad=pooled.bad / scale, count=pooled.count / scale)


def _pooled(probes: Sequence[Probe]) -> list[Criterion]:
    every = sorted((one for probe in probes for one in probe.criteria), key=lambda one: one.name)
    found = []
    for name, group in groupby(every, key=lambda one: one.name):
        same = list(group)
        bad, count = sum(one.bad for one in same), sum(one.count for one in same)
        effect = sum(one.count * one.effect for one in same) / count if count else 1.0
        found.append(Criterion(name=name, bad=bad, count=count, allowed=same[0].allowed, effect=effect))
    return found


def so_far(history: Sequence[Probe], plan: Plan, why: str) -> Found:
    """The answer of a search that ends here, for the reason ``why``."""
    return _found(history, plan, _states(history, plan), why)


def _states(history: Sequence[Probe], plan: Plan) -> dict[float, State]:
    rates = sorted({probe.rate for probe in history})
    return {rate: state_at(_at(history, rate), plan, history) for rate in rates}


def _at(history: Sequence[Probe], rate: float) -> list[Probe]:
    return [probe for probe in history if probe.rate == rate]


def _bracket(known: dict[float, State], plan: Plan, passed: float | None, failed: float | None) -> float | None:
    """Double until something fails, halve until something passes."""
    if not known:
        return min(max(plan.start, plan.least), plan.most)
    if failed is None:
        highest = max(known)
        return min(highest * _STEP, plan.most) if highest < plan.most else None
    lowest = min(known)
    if passed is None:
        return max(lowest / _STEP, plan.least) if lowest > plan.least else None
    return None


def _between(known: dict[float, State], plan: Plan, passed: float | None, failed: float | None) -> float | None:
    """The middle between an edge and what is known to be near the limit, while the gap is wider than it needs to be."""
    if passed is None or failed is None or failed / passed <= 1 + plan.tolerance:
        return None
    unclear = [rate for rate, state in known.items() if state is State.UNCLEAR and passed < rate < failed]
    gaps = [(passed, min(unclear)), (max(unclear), failed)] if unclear else [(passed, failed)]
    low, high = max(gaps, key=lambda gap: gap[1] / gap[0])
    # Half of the tolerance on each side of what is unclear makes the whole; an interval that will stay wide needs no
    # finer steps than a fifth of it.
    enough = max(1 + plan.tolerance / len(gaps), (failed / passed) ** (1 / 5))
    return math.sqrt(low * high) if high / low > enough else None


def _again(history: Sequence[Probe], plan: Plan, passed: float | None, failed: float | None) -> float | None:
    """An edge that has not been run often enough."""
    for edge in (passed, failed):
        if edge is not None and len(_at(history, edge)) < plan.tests:
            return edge
    return None


def _at_the_limit(history: Sequence[Probe], plan: Plan, passed: float | None, failed: float | None) -> float | None:
    """The likeliest limit, while the interval is wider than asked and few runs were near it: it makes the estimate."""
    if passed is None or failed is None or failed / passed <= 1 + plan.tolerance:
        return None
    likely = estimate(history, passed, failed)
    near = [probe for probe in history if abs(math.log(probe.rate / likely)) <= plan.tolerance]
    return likely if len(near) < plan.looks else None


def _settle(history: Sequence[Probe], plan: Plan, passed: float, failed: float) -> float | Found:
    """A rate passed above one that failed: run both again, and give up when they insist."""
    if len(history) < plan.most_runs:
        for rate in (failed, passed):
            if len(_at(history, rate)) < plan.tests + 1:
                return rate
    why = f"{passed:g}/s passed although {failed:g}/s failed: the target does not behave the same from run to run"
    return _answer(history, plan, None, None, why)


def _found(history: Sequence[Probe], plan: Plan, known: dict[float, State], why: str) -> Found:
    passed = max((rate for rate, state in known.items() if state is State.PASSES), default=None)
    failed = min((rate for rate, state in known.items() if state is State.FAILS), default=None)
    return _answer(history, plan, passed, failed, why)


def _answer(history: Sequence[Probe], plan: Plan, passed: float | None, failed: float | None, why: str) -> Found:
    return Found(
        passes=passed,
        fails=failed,
        confidence=plan.confidence,
        estimate=None if passed is None or failed is None else estimate(history, passed, failed),
        runs=len(history),
        seconds=sum(probe.seconds for probe in history),
        why=why,
    )


def _why(plan: Plan, passed: float | None, failed: float | None) -> str:
    if failed is None:
        return f"not even {plan.most:g}/s failed; raise --most"
    if passed is None:
        return f"not even {plan.least:g}/s passed; lower --least, or the objective cannot be met"
    if failed / passed <= 1 + plan.tolerance:
        return "as narrow as asked"
    return "no narrower with runs of this length: between the edges nothing can be told; make the runs longer"
