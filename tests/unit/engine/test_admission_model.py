"""The gate, step by step against a plain model of what it promises."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field

import uvloop
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from podium.engine.admission import AdmissionGate
from podium.engine.turns import Work
from support.admission import Callers, Clock

PATIENCE_SECONDS = 10.0
# Powers of two, so that charges add up exactly and both sides agree on equals.
WEIGHTS = {"a": 1.0, "b": 2.0, "c": 0.5, "d": 4.0}
WORKS = st.builds(
    lambda tenant, permits, priority_class, priority, tokens: Work(
        permits, tenant, WEIGHTS[tenant], priority_class, priority, tokens
    ),
    st.sampled_from(sorted(WEIGHTS)),
    st.sampled_from([1, 1, 1, 2, 9]),
    st.sampled_from([0, 0, 0, 1, -1]),
    st.integers(-1, 1),
    st.integers(1, 40),
)


@dataclass
class Tenants:
    """One priority class; nobody is ever forgotten while anything of it runs or waits."""

    level: float = 0.0
    given: dict[str, float] = field(default_factory=dict)
    running: dict[str, float] = field(default_factory=dict)
    held: str | None = None

    def charged(self, tenant: str) -> float:
        return self.given.get(tenant, self.level) + self.running.get(tenant, 0.0)

    def lift(self, tenant: str) -> None:
        self.given[tenant] = max(self.level, self.given.get(tenant, 0.0))

    def start(self, work: Work) -> None:
        self.level = max(self.level, self.given[work.tenant])
        self.running[work.tenant] = self.running.get(work.tenant, 0.0) + work.tokens / work.weight

    def end(self, work: Work, used_tokens: int) -> None:
        self.running[work.tenant] -= work.tokens / work.weight
        self.given[work.tenant] += used_tokens / work.weight


class Model:
    """What the gate promises, in the plainest words: everything is looked up by looking through everything."""

    def __init__(self, permits: int, queue: int, queue_tokens: int) -> None:
        self.permits = permits
        self.queue = queue
        self.queue_tokens = queue_tokens
        self.works: dict[str, Work] = {}
        self.waiting: list[str] = []  # in order of arrival
        self.running: list[str] = []
        self.refused: set[str] = set()
        self.classes: dict[int, Tenants] = {}

    def wanted(self, name: str) -> int:
        return min(self.works[name].permits, self.permits)

    @property
    def free(self) -> int:
        return self.permits - sum(self.wanted(name) for name in self.running)

    @property
    def waiting_tokens(self) -> int:
        return sum(self.works[name].tokens for name in self.waiting)

    def line(self, number: int, tenant: str) -> list[str]:
        names = [name for name in self.waiting if self._place(name) == (number, tenant)]
        return sorted(names, key=lambda name: -self.works[name].priority)

    def tenants_waiting(self, number: int) -> set[str]:
        return {tenant for at, tenant in map(self._place, self.waiting) if at == number}

    def backlog(self, number: int, tenant: str) -> float:
        return sum(self.works[name].tokens / self.works[name].weight for name in self.line(number, tenant))

    def head(self) -> str | None:
        if not self.waiting:
            return None
        number = max(self.works[name].priority_class for name in self.waiting)
        tenants = self.classes[number]
        if tenants.held is not None:
            return tenants.held
        lines = {tenant: self.line(number, tenant) for tenant in self.tenants_waiting(number)}
        return lines[min(lines, key=lambda one: (tenants.charged(one), self.waiting.index(lines[one][0])))][0]

    def ask(self, name: str, work: Work) -> None:
        self.works[name] = work
        above = all(self.works[other].priority_class < work.priority_class for other in self.waiting)
        if above and self.wanted(name) <= self.free:
            self._join(name)
            self._start(name)
            return
        leaving = self._who_gives_way(name)
        if leaving is None:
            self.refused.add(name)
        else:
            for other in leaving:
                self._drop(other)
                self.refused.add(other)
            self._join(name)
            self.waiting.append(name)
        self._settle()

    def cancel(self, name: str) -> None:
        self._drop(name)
        self._settle()

    def end(self, name: str, used_tokens: int) -> None:
        self.running.remove(name)
        work = self.works[name]
        self.classes[work.priority_class].end(work, max(1, used_tokens))
        self._settle()

    def _place(self, name: str) -> tuple[int, str]:
        return self.works[name].priority_class, self.works[name].tenant

    def _join(self, name: str) -> None:
        number, tenant = self._place(name)
        tenants = self.classes.setdefault(number, Tenants())
        if not self.line(number, tenant):
            tenants.lift(tenant)

    def _start(self, name: str) -> None:
        self.classes[self.works[name].priority_class].start(self.works[name])
        self.running.append(name)

    def _drop(self, name: str) -> None:
        self.waiting.remove(name)
        tenants = self.classes[self.works[name].priority_class]
        if tenants.held == name:
            tenants.held = None

    def _settle(self) -> None:
        while self.free and (name := self.head()) is not None:
            if self.wanted(name) > self.free:
                self.classes[self.works[name].priority_class].held = name
                break
            self._drop(name)
            self._start(name)
        used = {self.works[name].priority_class for name in [*self.waiting, *self.running]}
        self.classes = {number: tenants for number, tenants in self.classes.items() if number in used}

    def _who_gives_way(self, name: str) -> list[str] | None:
        work = self.works[name]
        turns = len(self.waiting) + 1 - self.queue
        tokens = self.waiting_tokens + work.tokens - self.queue_tokens if self.queue_tokens else 0
        if turns <= 0 and tokens <= 0:
            return []
        if not self.queue or (self.queue_tokens and work.tokens > self.queue_tokens):
            return None
        lower = [other for other in self._by_backlog() if self.works[other].priority_class < work.priority_class]
        return self._enough(lower, turns, tokens) or self._enough(self._overdue(work), turns, tokens)

    def _by_backlog(self) -> list[str]:
        def last_first(number: int) -> list[str]:
            def rank(tenant: str) -> tuple[float, int]:
                return -self.backlog(number, tenant), self.waiting.index(self.line(number, tenant)[0])

            ranked = sorted(self.tenants_waiting(number), key=rank)
            return [name for tenant in ranked for name in reversed(self.line(number, tenant))]

        return [name for number in sorted(self.classes) for name in last_first(number)]

    def _overdue(self, work: Work) -> list[str]:
        """Of the class's largest backlog, what it has more than the tenant of ``work`` would have."""
        same = [name for name in self._by_backlog() if self.works[name].priority_class == work.priority_class]
        largest = [name for name in same if self.works[name].tenant == self.works[same[0]].tenant]
        mark = self.backlog(work.priority_class, work.tenant) + work.tokens / work.weight
        left = sum(self.works[name].tokens / self.works[name].weight for name in largest)
        over = []
        for name in largest:
            left -= self.works[name].tokens / self.works[name].weight
            if left < mark:
                break
            over.append(name)
        return over

    def _enough(self, names: list[str], turns: int, tokens: int) -> list[str] | None:
        for count in range(1, len(names) + 1):
            if count >= turns and sum(self.works[name].tokens for name in names[:count]) >= tokens:
                return names[:count]
        return None


class GateAndModel(RuleBasedStateMachine):
    """Random callers; after every step the gate and the model agree on who runs, waits and was refused."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        self.count = 0

    def run(self, step: Coroutine[None, None, object]) -> None:
        async def bounded() -> None:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await step

        self.runner.run(bounded())

    @initialize(
        permits=st.integers(1, 5), queue=st.sampled_from([0, 1, 3, 6, 100]), queue_tokens=st.sampled_from([0, 30, 100])
    )
    def open(self, permits: int, queue: int, queue_tokens: int) -> None:
        self.model = Model(permits, queue, queue_tokens)
        self.gate = AdmissionGate(permits=permits, queue=queue, queue_tokens=queue_tokens, clock=Clock())
        self.callers = Callers(self.gate)
        self.cancelled: set[str] = set()

    def name(self) -> str:
        self.count += 1
        return f"{self.count:03}"

    @rule(work=WORKS)
    def ask(self, work: Work) -> None:
        name = self.name()
        self.model.ask(name, work)
        self.run(self.callers.ask(name, work))

    @rule(works=st.lists(WORKS, min_size=5, max_size=12))
    def ask_many(self, works: list[Work]) -> None:
        for work in works:
            self.ask(work)

    @precondition(lambda self: self.model.running)
    @rule(data=st.data(), used_tokens=st.none() | st.integers(0, 80))
    def end(self, data: st.DataObject, used_tokens: int | None) -> None:
        name = data.draw(st.sampled_from(self.model.running))
        used_tokens = self.model.works[name].tokens if used_tokens is None else used_tokens
        self.model.end(name, used_tokens)
        self.run(self.callers.end(name, used_tokens))

    @precondition(lambda self: self.model.waiting)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(self.model.waiting))
        self.cancelled.add(name)
        self.model.cancel(name)
        self.run(self.callers.cancel(name))

    @precondition(lambda self: self.model.running and self.model.waiting)
    @rule(data=st.data())
    def end_one_and_cancel_another_before_it_has_run(self, data: st.DataObject) -> None:
        ended = data.draw(st.sampled_from(self.model.running))
        given_up = data.draw(st.sampled_from(self.model.waiting))
        self.cancelled.add(given_up)
        self.model.cancel(given_up)
        self.model.end(ended, self.model.works[ended].tokens)

        async def both() -> None:
            self.callers.cancel_later(given_up)
            self.callers.end_later(ended)
            await self.callers.settle()

        self.run(both())

    @invariant()
    def permits_are_never_exceeded(self) -> None:
        taken = sum(min(self.callers.works[name].permits, self.gate.permits) for name in self.callers.running)
        assert self.gate.running == taken <= self.gate.permits

    @invariant()
    def the_queue_keeps_its_bounds(self) -> None:
        assert self.gate.waiting <= self.gate.queue_limit
        assert not self.gate.queue_tokens or self.gate.waiting_tokens <= self.gate.queue_tokens

    @invariant()
    def everyone_is_where_the_model_says(self) -> None:
        assert sorted(self.callers.running) == sorted(self.model.running)
        assert self.callers.waiting == set(self.model.waiting)
        assert self.callers.refused.keys() == self.model.refused
        assert self.callers.cancelled == self.cancelled
        assert (self.gate.waiting, self.gate.waiting_tokens) == (len(self.model.waiting), self.model.waiting_tokens)

    @invariant()
    def every_call_has_one_end_at_most(self) -> None:
        callers = self.callers
        ends = [*callers.running, *callers.ended, *callers.refused, *callers.cancelled, *callers.waiting]
        assert sorted(ends) == sorted(callers.works)

    def teardown(self) -> None:
        self.run(self.callers.finish())
        assert not self.callers.waiting
        assert (self.gate.running, self.gate.waiting, self.gate.waiting_tokens) == (0, 0, 0)
        assert self.gate._queue._classes == {}
        self.runner.close()


TestGateAndModel = GateAndModel.TestCase
TestGateAndModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
