"""A comparison carried out: runs of A and B in turn."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager

import msgspec

from podium.bench.comparison.order import Side, interleaved
from podium.bench.measured import Bench, seeded
from podium.bench.plan import RunPlan
from podium.bench.result import RunResult
from podium.core.errors import Unavailable

_TRIES = 3
Served = Callable[[], AbstractContextManager[str]]
"""Makes a server answer for the length of a block, and says where."""


def run_interleaved(
    bench: Bench,
    plan: RunPlan,
    sides: Mapping[Side, Served],
    *,
    pairs: int,
    told: Callable[[int, Side], None],
) -> dict[Side, list[RunResult]]:
    """``pairs`` runs of each side in the order of ``interleaved``; both runs of a pair send the same requests.

    A run that the client spoiled is repeated, up to three times; that is no choice by its outcome, since the reasons
    are the client's own. Raises ``Unavailable`` when the third is spoiled too. Ctrl-C loses the run that goes on; what
    comes back then is the pairs that were complete.
    """
    found: dict[Side, list[RunResult]] = {"A": [], "B": []}
    with contextlib.suppress(KeyboardInterrupt):
        for number, side in enumerate(interleaved(pairs, plan.seed)):
            told(number, side)
            found[side].append(_run(bench, seeded(plan, number // 2), sides[side], side, len(found[side]) + 1))
    complete = min(map(len, found.values()))
    return {side: runs[:complete] for side, runs in found.items()}


def _run(bench: Bench, plan: RunPlan, served: Served, side: Side, number: int) -> RunResult:
    for attempt in range(_TRIES):
        with served() as url:
            target = msgspec.structs.replace(plan.target, url=url)
            measured = bench.measure(
                msgspec.structs.replace(plan, target=target), f"{side}/{number:02d}", {"side": side}
            )
        if not measured.clients_fault:
            return measured.result
        bench.set_aside(f"{side}/{number:02d}", f"spoiled/{side}-{number:02d}-{attempt}")
    reasons = "; ".join(one.detail for one in measured.result.invalid)
    raise Unavailable(f"this client cannot measure that: {reasons}")
