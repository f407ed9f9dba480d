"""The search carried out: a run for each step, until there is an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from podium.bench.measured import Bench, Measured, at_rate, seeded
from podium.bench.plan import RunPlan
from podium.bench.search.history import Probe
from podium.bench.search.next_step import Found, Plan, next_step, so_far
from podium.bench.search.objective import Objective, probe_of

_BELOW = 0.9  # of a rate that the client could not drive


class Search(msgspec.Struct, frozen=True, kw_only=True):
    """A search that is over: the question, the answer, and every run on the way."""

    objectives: list[str]
    plan: Plan
    found: Found
    history: list[Probe]
    client_limit: float | None = None  # this client could not drive the target beyond; None: it was never the limit
    interrupted: bool = False


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

    A run that the client spoiled is repeated once; if that is spoiled too, the search stays below its rate. Ctrl-C
    loses the run that goes on, and ends the search with what the others say.
    """
    walk = _Walk(bench, run, objectives, plan, requests, told)
    interrupted = False
    try:
        found = walk.to_the_end()
    except KeyboardInterrupt:
        interrupted = True
        found = so_far(walk.history, walk.plan, "interrupted before it was decided")
    return Search(
        objectives=[one.text for one in objectives],
        plan=walk.plan,
        found=found,
        history=walk.history,
        client_limit=walk.client_limit,
        interrupted=interrupted,
    )


@dataclass
class _Walk:
    """A search on its way: what it has seen, and how far this client gets."""

    bench: Bench
    run: RunPlan
    objectives: Sequence[Objective]
    plan: Plan
    requests: int
    told: Callable[[Probe, RunPlan], None]
    history: list[Probe] = field(default_factory=list)
    client_limit: float | None = None
    _number: int = 0

    def to_the_end(self) -> Found:
        while isinstance(step := next_step(self.history, self.plan), float):
            measured = self._measure(step)
            if measured.clients_fault:
                measured = self._measure(step)
            if not measured.clients_fault:
                self.history.append(
                    probe_of(measured.records, measured.plan, self.objectives, f"run-{self._number:02d}")
                )
                self.told(self.history[-1], measured.plan)
                continue
            self.client_limit = step
            self.plan = msgspec.structs.replace(self.plan, most=max(self.plan.least, step * _BELOW))
            if step <= self.plan.least:
                return so_far([], self.plan, "this client cannot drive even the lowest rate")
        return step

    def _measure(self, rate: float) -> Measured:
        self._number += 1
        seconds = max(self.run.load.seconds, self.requests / rate)
        planned = at_rate(seeded(self.run, self._number), rate, seconds)
        return self.bench.measure(planned, f"run-{self._number:02d}", {"rate": f"{rate:g}"})
