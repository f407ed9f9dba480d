"""In any window of a limit's length no more than the limit is delivered, and nothing is lost on the way.

A random history of requests from two keys of one tenant: reserved, renewed, delivered piece by piece, settled, or
abandoned as by a process that is killed. Every decision and every wait is compared with an oracle.
"""

from __future__ import annotations

import asyncio
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from podium.access.ledger import Admitted, Ask, Limit, Progress, Refused, Settlement, Used
from support.ledger_oracle import Oracle, Running, most_in_any_window
from support.ledgers import LEASE_SECONDS, EmbeddedSubject, LedgerSubject, RedisSubject, ask, limit, told, used_of
from support.redis import RedisServer

TENANT = [
    limit("tokens_per_minute", 1500, scope="tenant", name="acme"),
    limit("tokens_per_day", 4000, scope="tenant", name="acme"),
]
LIVE = limit("concurrent_requests", 3, scope="model", name="echo")
KEYS = {
    key: [limit("requests_per_minute", 6, name=key), limit("tokens_per_minute", 1000, name=key)] for key in ("k1", "k2")
}
RENEWED_EVERY = LEASE_SECONDS / 3
SETTINGS = settings(
    max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True
)


class History(RuleBasedStateMachine):
    subject_kind: ClassVar[type[EmbeddedSubject]] = EmbeddedSubject
    running = Bundle("running")

    def __init__(self) -> None:
        super().__init__()
        self.subject = self.make_subject()
        self.runner = asyncio.Runner()
        self.opened = self.subject.opened()
        self.ledger = self.runner.run(self.opened.__aenter__())
        self.oracle = Oracle()
        self.abandoned: set[str] = set()

    def make_subject(self) -> LedgerSubject:
        return EmbeddedSubject()

    @property
    def now(self) -> float:
        return self.subject.clock()

    @rule(seconds=st.one_of(st.floats(0, 3), st.floats(0, 70), st.sampled_from([900.0, 30_000.0, 87_300.0])))
    def time_passes(self, seconds: float) -> None:
        """In steps, so that requests are renewed as often as their owner would; long pauses are for quiet times."""
        if self.live():
            seconds = min(seconds, 70.0)
        while seconds > 0:
            step = min(seconds, RENEWED_EVERY) if self.live() else seconds
            self.subject.advance(step)
            seconds -= step
            self.renew(self.live())

    @rule(target=running, key=st.sampled_from(sorted(KEYS)), prompt=st.integers(0, 300), output=st.integers(1, 500))
    def reserve(self, key: str, prompt: int, output: int) -> object:
        tokens = prompt + output
        parts = [(of, 1 if of.unit in ("request", "live") else tokens) for of in (*KEYS[key], *TENANT, LIVE)]
        request = ask(*parts, declared=Used(prompt, min(output, 20)))
        self.oracle.end_leases(self.now)
        waits = self.oracle.waits(request, self.now)
        decision = self.runner.run(self.ledger.reserve(request))
        if any(wait != 0 for wait in waits):
            assert isinstance(decision, Refused), (decision, waits)
            longest = max(float("inf") if wait is None else wait for wait in waits)
            given = float("inf") if decision.retry_after_seconds is None else decision.retry_after_seconds
            assert given == pytest.approx(longest, abs=0.002)
            return multiple()
        assert isinstance(decision, Admitted), (decision, waits)
        assert not decision.local or self.subject.name == "embedded"
        used = [round(standing.limit - standing.remaining) for standing in decision.standings]
        entry = Running(request, self.now + LEASE_SECONDS, request.declared, prompt, output)
        self.oracle.admit(entry, self.now)
        assert used == [self.oracle.used(of, self.now) for of in request.limits]
        return entry

    @rule(request=running, tokens=st.integers(1, 120))
    def deliver(self, request: Running, tokens: int) -> None:
        """Never beyond what is reserved, nor beyond what is declared: the owner renews first."""
        if request not in self.live():
            return
        tokens = min(tokens, request.reserved - request.delivered)
        if request.delivered + tokens > request.declared.tokens:
            request.declared = Used(0, min(request.reserved, request.delivered + tokens + 40))
            self.renew([request])
        request.delivered += tokens
        self.oracle.deliveries.append((self.now, tokens, request.ask))

    @rule(request=consumes(running))
    def settle(self, request: Running) -> None:
        if request in self.live():
            self.oracle.settle(request, self.now)
            self.runner.run(self.settled([request, request]))

    @rule(request=consumes(running))
    def abandon(self, request: Running) -> None:
        self.abandoned.add(request.ask.id)

    @invariant()
    def no_window_holds_more_than_its_limit(self) -> None:
        for of in (*TENANT, *KEYS["k1"], *KEYS["k2"]):
            happened = self.oracle.admissions if of.unit == "request" else self.oracle.deliveries
            mine = [(at, amount) for at, amount, request in happened if _applies(of, request)]
            assert most_in_any_window(mine, of.window) <= of.most

    @invariant()
    def no_more_run_than_may(self) -> None:
        assert len(self.live()) <= LIVE.most

    def teardown(self) -> None:
        try:
            for request in self.live():
                self.oracle.settle(request, self.now)
                self.runner.run(self.settled([request]))
            self.subject.advance(LEASE_SECONDS)
            for _ in range(10):  # leases end a few at a time
                self.runner.run(used_of(self.ledger, LIVE))
            self.ledger.renew([])
            self.subject.advance(40 * 86_400)
            self.ledger.renew([])
            assert (self.ledger.facts().live, self.ledger.facts().buckets) == (0, 0)
            for of in (*TENANT, LIVE, *KEYS["k1"], *KEYS["k2"]):
                assert self.runner.run(used_of(self.ledger, of)) == 0
        finally:
            self.runner.run(self.opened.__aexit__(None, None, None))
            self.runner.close()

    def live(self) -> list[Running]:
        return [request for request in self.oracle.running.values() if request.ask.id not in self.abandoned]

    def renew(self, requests: list[Running]) -> None:
        if not requests:
            return
        self.runner.run(self.renewed(requests))
        for request in requests:
            request.lease_ends = self.now + LEASE_SECONDS
        self.oracle.end_leases(self.now)

    async def renewed(self, requests: list[Running]) -> None:
        self.ledger.renew([Progress(one.ask, Used(0, one.delivered), one.declared) for one in requests])
        await told(self.ledger)

    async def settled(self, requests: list[Running]) -> None:
        self.ledger.settle([Settlement(one.ask, Used(0, one.delivered)) for one in requests])
        await told(self.ledger)


def _applies(of: Limit, request: Ask) -> bool:
    return any(of.bucket == mine.bucket for mine in request.limits)


def test_the_theorem_holds_for_the_embedded_ledger() -> None:
    run_state_machine_as_test(History, settings=SETTINGS)


def test_the_theorem_holds_for_the_shared_ledger(server: RedisServer) -> None:
    class SharedHistory(History):
        def make_subject(self) -> LedgerSubject:
            return RedisSubject(server)

    run_state_machine_as_test(SharedHistory, settings=SETTINGS)
