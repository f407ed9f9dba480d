"""Calls to Redis that end in time, one way or another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog

from podium.aio import tasks
from podium.config.redis import Redis as RedisSettings
from podium.store.address import Address
from podium.store.breaker import Breaker, State
from podium.store.command import Argument, encode
from podium.store.connection import Refused
from podium.store.patience import Patience
from podium.store.pool import Pool
from podium.store.reply import ErrorReply

log = structlog.get_logger(__name__)

MOST_REASONS = 16


class StoreUnavailable(Exception):
    """The store did not answer in time, or is not asked because it lately did not. Never reaches a caller."""


class StoreRefused(StoreUnavailable):
    """The store answered with an error: full, not permitted, no such function, wrong type. ``reason`` is its code.

    Codes are Redis' own first words, such as ``OOM``, ``NOPERM``, ``WRONGTYPE``, and ``ERR`` for the rest.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class RedisLink:
    """One process's connections to one Redis. ``for_purpose`` gives each user a breaker of its own.

    Raises ``ConfigurationError`` when the settings cannot be followed. Opening is lazy; may be made outside an event
    loop, and is used inside one. ``aclose`` ends all connections and tasks; idempotent.
    """

    def __init__(self, settings: RedisSettings) -> None:
        self.prefix = settings.prefix
        self._settings = settings
        self._pool = Pool(Address.of(settings), most=settings.max_connections, connect_seconds=settings.connect_seconds)
        self._purposes: list[StoreCalls] = []

    def for_purpose(self, name: str) -> StoreCalls:
        """Calls with a breaker of their own; ``name`` appears in logs and metrics."""
        calls = StoreCalls(self._pool, self._settings, name)
        self._purposes.append(calls)
        return calls

    async def aclose(self) -> None:
        """End all connections; calls under way fail with ``StoreUnavailable``."""
        for calls in self._purposes:
            await calls.aclose()
        await self._pool.aclose()


class StoreCalls:
    """Calls for one purpose, such as the cache.

    Every call ends within ``redis.call_seconds``, connecting included, or raises ``StoreUnavailable``; time in which
    this process was busy itself is not counted (``Patience``). A call that timed out or was cancelled
    closes its connection, so that its answer can never be taken for another call's. After failures
    (``Breaker``) calls fail at once, while a task asks the server now and then whether it is back.
    """

    def __init__(self, pool: Pool, settings: RedisSettings, purpose: str) -> None:
        self.purpose = purpose
        self.prefix = settings.prefix
        self.failures = 0
        self._pool = pool
        self._seconds = settings.call_seconds
        self._probe_seconds = settings.connect_seconds + settings.call_seconds
        self._breaker = Breaker()
        self._probing: asyncio.Task[None] | None = None
        self._is_closed = False
        self._refusals: set[str] = set()

    @property
    def state(self) -> State:
        """``open`` or ``half_open`` while the store is not asked."""
        return self._breaker.state

    async def call(self, *command: Argument, seconds: float | None = None, may_be_refused: bool = False) -> Any:
        """One command, such as ``call("GET", key)``. Raises ``StoreUnavailable``.

        Texts come back as ``bytes``, numbers as ``int``, lists as ``list``, maps as ``dict``, nothing as ``None``; what
        a broken server sends may be any of them. ``seconds`` replaces the usual limit for work off the request path.
        With ``may_be_refused`` a refusal is an answer like any other: raised, but not logged.
        """
        (answer,) = await self._exchange(encode([command]), 1, self._seconds if seconds is None else seconds)
        if may_be_refused and isinstance(answer, ErrorReply):
            raise StoreRefused(answer.reason)
        self._require_none_refused([answer])
        return answer

    async def calls(
        self, commands: Sequence[Sequence[Argument]], *, seconds: float | None = None, transaction: bool = False
    ) -> list[Any]:
        """Several commands in one round trip, in order; their answers. Raises ``StoreUnavailable``.

        In a ``transaction`` nothing of others' comes between them, and none is done if one is not even well formed.
        When one is refused, ``StoreRefused`` says why; the others may have been done.
        """
        if not commands:
            return []
        sent = [("MULTI",), *commands, ("EXEC",)] if transaction else commands
        answers = await self._exchange(encode(sent), len(sent), self._seconds if seconds is None else seconds)
        if transaction:
            answers = self._done(answers)
        self._require_none_refused(answers)
        return answers

    async def aclose(self) -> None:
        """End its task; later calls fail. Called by the link."""
        self._is_closed = True
        await tasks.stop(self._probing)

    async def _exchange(self, request: bytes, answers: int, seconds: float) -> list[Any]:
        period = self._breaker.admits()
        if self._is_closed or not period:
            raise StoreUnavailable(f"{self.purpose}: not asked, it " + ("is closed" if period else "failed lately"))
        answered_before = self._pool.answered
        connection = None
        try:
            async with Patience(seconds):
                connection = await self._pool.take()
                found = await connection.exchange(request, answers)
        except (OSError, ValueError) as error:  # a time-out is an OSError, garbage a ValueError
            if self._pool.answered == answered_before:
                self._pool.drop_idle()
            elif connection is None:
                period = 0  # all connections were busy with calls that were answered: not the store's failure
            raise self._unavailable(error, period) from error
        finally:
            if connection is not None:
                self._pool.put_back(connection)
        self._breaker.succeeded(period)
        return found

    def _unavailable(self, error: Exception, period: int) -> StoreUnavailable:
        self.failures += 1
        reason = error.reason if isinstance(error, Refused) else type(error).__name__
        self._breaker.failed(period)
        if self._breaker.state != "closed" and (self._probing is None or self._probing.done()):
            log.error("store not in use", purpose=self.purpose, reason=reason)
            self._probing = tasks.start(self._probe_until_closed(), name=f"probe of the store for {self.purpose}")
        return StoreUnavailable(f"{self.purpose}: {reason}")

    async def _probe_until_closed(self) -> None:
        """Off the request path: a probe may take longer than a call, and costs no caller anything."""
        while self._breaker.state != "closed":
            await asyncio.sleep(self._breaker.probe_due_seconds())
            if await self._answers_a_ping():
                self._breaker.probe_succeeded()
            else:
                self._breaker.probe_failed()
        log.warning("store in use again", purpose=self.purpose)

    async def _answers_a_ping(self) -> bool:
        try:
            async with Patience(self._probe_seconds):
                connection = await self._pool.take()
                try:
                    answers = await connection.exchange(encode([("PING",)]), 1)
                finally:
                    self._pool.put_back(connection)
        except (OSError, ValueError):
            self._pool.drop_idle()
            return False
        return answers == [b"PONG"] or isinstance(answers[0], ErrorReply)  # not permitted to ask: it is there

    def _done(self, answers: list[Any]) -> list[Any]:
        """What the commands of a transaction gave, out of the answers to all that was sent."""
        self._require_none_refused(answers)
        done = answers[-1]
        if not isinstance(done, list) or len(done) != len(answers) - 2:
            raise StoreUnavailable(f"{self.purpose}: not what a transaction answers")
        return done

    def _require_none_refused(self, answers: list[Any]) -> None:
        for answer in answers:
            if isinstance(answer, ErrorReply):
                if answer.reason not in self._refusals and len(self._refusals) < MOST_REASONS:
                    self._refusals.add(answer.reason)
                    log.error("store refused a command", purpose=self.purpose, reason=answer.reason)
                raise StoreRefused(answer.reason)
