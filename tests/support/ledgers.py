"""Ledgers whose time the test moves, and what is asked of them."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

import redis

from podium.access.embedded_ledger import EmbeddedLedger
from podium.access.ledger import Admitted, Ask, Decision, Ledger, Limit, Progress, Refused, Settlement, Used
from podium.access.redis_ledger import RedisLedger
from podium.access.redis_ledger_functions import library_source
from podium.access.usage import Payer
from podium.access.usage_journal import UsageJournal
from podium.config.redis import Redis as RedisSettings
from podium.core.standing import QuotaName, ScopeKind, Standing
from podium.store.link import RedisLink
from support.redis import RedisServer

LEASE_SECONDS = 30.0
PATIENT = {"call_seconds": 2.0, "connect_seconds": 2.0}  # a loaded machine is no broken store
PAYER = Payer("acme", "key-1", "echo")

_numbers = itertools.count(1)
_REAL_TIME = """  redis.call('SET', keys.clock, '', 'PX', 60000)
  return redis.call('PEXPIRETIME', keys.clock) - 60000
"""
_TEST_TIME = """  return tonumber(redis.call('GET', keys.base .. 'test-time'))
"""


@dataclass
class TestClock:
    """Seconds that pass when the test says so. In steps of milliseconds, as the shared store counts."""

    __test__ = False

    milliseconds: int = 1_700_000_000_000

    def __call__(self) -> float:
        return self.milliseconds / 1000

    def advance(self, seconds: float) -> None:
        self.milliseconds += round(seconds * 1000)


class LedgerSubject(Protocol):
    """One kind of ledger under test."""

    name: str
    clock: TestClock

    def opened(self) -> AbstractAsyncContextManager[Ledger]: ...

    def advance(self, seconds: float) -> None:
        """Let time pass, for windows and leases."""


@dataclass
class EmbeddedSubject:
    name: str = "embedded"
    clock: TestClock = field(default_factory=TestClock)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        journal = UsageJournal(None, pause_seconds=0.001)
        async with EmbeddedLedger(journal, lease_seconds=LEASE_SECONDS, clock=self.clock) as ledger:
            yield ledger

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)


class RedisSubject:
    """A Redis whose ledger functions read the time from a key that the test writes."""

    name = "redis"

    def __init__(self, server: RedisServer) -> None:
        self.server = server
        self.clock = TestClock()
        self.prefix = f"podium-{next(_numbers)}"
        with server.client() as client:
            client.function_load(test_library(), replace=True)
        self._show_time()

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Ledger]:
        settings = RedisSettings(url=self.server.url, prefix=self.prefix, **PATIENT)
        link = RedisLink(settings)
        try:
            async with RedisLedger(link, settings, lease_seconds=LEASE_SECONDS, clock=self.clock) as ledger:
                yield ledger
        finally:
            await link.aclose()

    def advance(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self._show_time()

    def keys(self) -> dict[str, int]:
        """Keys of the ledger and their time to live in ms, of those that hold more than the time."""
        with self.server.client() as client:
            names: list[bytes] = client.keys(f"{self.prefix}:*")
            return {name.decode().removeprefix(f"{self.prefix}:{{q}}:"): client.pttl(name) for name in names}

    def bucket(self, limit: Limit) -> dict[bytes, bytes]:
        with self.server.client() as client:
            found: dict[bytes, bytes] = client.hgetall(f"{self.prefix}:{{q}}:b:{limit.bucket}")
            return found

    def _show_time(self) -> None:
        with self.server.client() as client:
            client.set(f"{self.prefix}:{{q}}:test-time", self.clock.milliseconds)


def test_library() -> str:
    """The ledger's functions, with the test's time in place of the store's."""
    source = library_source()
    assert _REAL_TIME in source
    return source.replace(_REAL_TIME, _TEST_TIME)


test_library.__test__ = False  # type: ignore[attr-defined]


def load_real_library(client: redis.Redis) -> None:
    """What a deployment does with a user that may."""
    client.function_load(library_source(), replace=True)


def limit(quota: QuotaName, most: int, *, scope: ScopeKind = "key", name: str = "key-1") -> Limit:
    return Limit.of(quota, scope, name, most)


def ask(*parts: tuple[Limit, int], declared: Used | None = None, payer: Payer = PAYER) -> Ask:
    """Of each limit an amount; declared is nothing unless said."""
    limits, amounts = tuple(part[0] for part in parts), tuple(part[1] for part in parts)
    return Ask(f"request-{next(_numbers)}", payer, limits, amounts, declared or Used())


def settle(ledger: Ledger, request: Ask, *, prompt: int = 0, output: int = 0, micro: int = 0) -> None:
    ledger.settle([Settlement(request, Used(prompt, output, micro))])


def renew(ledger: Ledger, request: Ask, *, used: int = 0, declared: int | None = None) -> None:
    """Output tokens so far, and what to charge if nothing more is heard."""
    ledger.renew([Progress(request, Used(0, used), Used(0, used if declared is None else declared))])


async def admitted(ledger: Ledger, request: Ask) -> Admitted:
    decision = await ledger.reserve(request)
    assert isinstance(decision, Admitted), decision
    return decision


async def refused(ledger: Ledger, request: Ask) -> Refused:
    decision = await ledger.reserve(request)
    assert isinstance(decision, Refused), decision
    return decision


async def eventually(probe: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Until ``probe`` says yes; the event loop goes on meanwhile."""
    async with asyncio.timeout(seconds):
        while True:
            if probe():
                return
            await asyncio.sleep(0.001)


async def told(ledger: Ledger) -> None:
    """Until everything that was settled and renewed has arrived."""
    await eventually(lambda: not ledger.facts().queued)


async def used_of(ledger: Ledger, of: Limit) -> float:
    """What is charged and held of a limit, by asking for more than there can be."""
    decision: Decision = await refused(ledger, ask((of, of.most + 1)))
    found: Standing = decision.standings[0]
    return found.limit - found.remaining
