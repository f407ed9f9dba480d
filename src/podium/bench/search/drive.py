"""The search carried out: a run for each step, until there is an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import msgspec

from podium.bench.measured import Bench, Measured, at_rate, seeded
from podium.bench.plan import RunPlan
from podium.bench.search.history import Probe
from podium.bench.search.next_step import Found, Plan, next_step
from podium.bench.search.objective import Objective, probe_of

_BELOW = 0.9  # of a rate that the client could not drive


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A search that is over: the question, the answer, and every run on the way."""

    objectives: list[str]
    plan: Plan
    found: Found
    history: list[Probe]
    client_limit: float | None = None  # this client could not drive the target beyond; None: it was never the limit


def find_max(
    bench: Bench,
    run: RunPlan,
    objectives: Sequence[Objective],
    plan: Plan,
    *,
    requests: int,
    told: Callable[[Probe, RunPlan], None],
) -> Search:
    """Search with runs of ``run``'s length, or longer where a rate needs that for ``requests`` requests.

    A run that the client spoiled is repeated once; if that is spoiled too, the search stays below its rate.
    """
    history: list[Probe] = []
    client_limit: float | None = None
    number = 0
    while isinstance(step := next_step(history, plan), float):
        measured = None
        for _ in range(2):
            number += 1
            planned = at_rate(seeded(run, number), step, max(run.load.seconds, requests / step))
            measured = bench.measure(planned, f"run-{number:02d}", {"rate": f"{step:g}"})
            if not measured.clients_fault:
                break
        assert measured is not None  # noqa: S101 - this is a bug: the loop ran
        if measured.clients_fault:
            client_limit = step
            plan = msgspec.structs.replace(plan, most=max(plan.least, step * _BELOW))
            if step <= plan.least:
                break
            continue
        history.append(_probe(measured, objectives, f"run-{number:02d}"))
        told(history[-1], planned)
    found = step if isinstance(step, Found) else _nothing(history, plan)
    return Search(
        objectives=[one.text for one in objectives], plan=plan, found=found, history=history, client_limit=client_limit
    )


def _probe(measured: Measured, objectives: Sequence[Objective], name: str) -> Probe:
    return probe_of(measured.records, measured.plan, objectives, name)


def _nothing(history: Sequence[Probe], plan: Plan) -> Found:
    return Found(
        passes=None,
        fails=None,
        confidence=plan.confidence,
        estimate=None,
        runs=len(history),
        seconds=sum(probe.seconds for probe in history),
        why="this client cannot drive even the lowest rate",
    )
