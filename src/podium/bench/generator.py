"""The load generator of one worker: sends on schedule, whatever the answers do."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Self

import msgspec

from podium.bench.ahead import Ahead
from podium.bench.connection import Connection
from podium.bench.dialects import dialect_of
from podium.bench.exchange import Exchange
from podium.bench.plan import RunPlan
from podium.bench.reading import answer_text
from podium.bench.source import Talk, Users
from podium.bench.target import connect_failure, overdue, request_head, tls_context, where
from podium.bench.timer import Timer
from podium.bench.workload import Planned

SWEEP_SECONDS = 0.05
FAILED_PAUSE_SECONDS = 0.01  # a user whose request failed at once does not hammer a dead server at full speed
BURST = 32  # requests sent in one go before answers are read again
monotonic = time.monotonic


class Generator:
    """Sends the requests of one worker and hands each ended exchange to ``ended``.

    An async context manager: leaving it aborts every connection. ``start`` is the moment 0 of the run on
    ``time.monotonic``, the same in all workers.
    """

    def __init__(self, plan: RunPlan, run_id: str, start: float, ended: Callable[[Exchange], None]) -> None:
        self._plan = plan
        self._run_id = run_id
        self._start = start
        self._ended = ended
        self._dialect = dialect_of(plan.target)
        self._encode = msgspec.json.Encoder().encode
        self._head = request_head(plan.target, self._dialect)
        self._where = where(plan.target)
        self._tls = tls_context(plan.target)
        self._idle: list[Connection] = []
        self._busy: dict[Connection, None] = {}
        self._opening: dict[Exchange, None] = {}
        self._after: dict[int, Callable[[Exchange], None]] = {}
        self._stopping = False
        self._over = asyncio.Event()  # nothing more will be sent
        self._done = asyncio.Event()  # nothing is in flight
        self._group = asyncio.TaskGroup()
        self.begun = 0

    async def __aenter__(self) -> Self:
        await self._group.__aenter__()
        return self

    async def __aexit__(self, *error: object) -> None:
        for connection in (*self._idle, *self._busy):
            connection.abort()
        await self._group.__aexit__(*error)  # type: ignore[arg-type]  # the three of the protocol

    @property
    def in_flight(self) -> int:
        """Requests that have begun and not ended."""
        return len(self._busy) + len(self._opening)

    async def run_open(self, requests: Iterator[Planned]) -> None:
        """Send each request at its time, then wait for the answers (``drain_seconds`` at most)."""
        loop = asyncio.get_running_loop()
        ahead = Ahead(loop, lambda: self._prepared(next(requests, None)))

        def wake() -> None:
            for _ in range(BURST):
                upcoming = ahead.first
                if upcoming is None or self._stopping:
                    self._over.set()
                    return
                exchange, data = upcoming
                due = self._start + exchange.scheduled_at
                if due > monotonic():
                    timer.arm(due)
                    return
                self._begin(exchange, data)
                ahead.drop()
            loop.call_soon(wake)

        timer = Timer(loop, wake)
        try:
            timer.arm(self._start)
            async with self._sweeping():
                await self._over.wait()
                await self._drain()
        finally:
            timer.close()
            ahead.close()

    async def run_closed(self, users: Users) -> None:
        """Let each user send after its last answer until the load is over, then wait for the rest."""
        loop = asyncio.get_running_loop()
        living = users.count
        think = self._plan.load.think_seconds

        def step(talk: Talk) -> None:
            nonlocal living
            planned = None if self._stopping else users.next(max(0.0, monotonic() - self._start), talk)
            prepared = self._prepared(planned)
            if prepared is None:
                living -= 1
                if living == 0:
                    self._over.set()
                return
            exchange, data = prepared

            def after(ended: Exchange) -> None:
                if ended.session:
                    talk.heard(answer_text(ended, self._dialect))
                pause = max(think, 0.0 if ended.failure is None else FAILED_PAUSE_SECONDS)
                if pause:
                    loop.call_later(pause, step, talk)
                else:
                    loop.call_soon(step, talk)

            self._after[exchange.index] = after
            self._begin(exchange, data)

        async with self._sweeping():
            await asyncio.sleep(max(0.0, self._start - monotonic()))
            for _ in range(users.count):
                step(Talk())
            if living:
                await self._over.wait()
            await self._drain()

    def stop(self) -> None:
        """Send nothing more, and leave what is in flight unfinished."""
        self._stopping = True
        self._abandon()
        self._over.set()

    def _prepared(self, planned: Planned | None) -> tuple[Exchange, bytes] | None:
        """The exchange and its bytes, made before they are due."""
        if planned is None:
            return None
        exchange = Exchange.of(planned, f"{self._run_id}-{planned.index}")
        body = self._encode(self._dialect.body(planned.ask, self._plan.target.model))
        head = b"%b%b\r\ncontent-length: %d\r\n\r\n" % (self._head, exchange.request_id.encode(), len(body))
        return exchange, head + body

    def _begin(self, exchange: Exchange, data: bytes) -> None:
        exchange.begun_at = monotonic()
        self.begun += 1
        self._send(exchange, data)

    def _send(self, exchange: Exchange, data: bytes) -> None:
        if self._idle:
            connection = self._idle.pop()
            self._busy[connection] = None
            connection.pending = data
            connection.send(exchange, data)
            return
        self._opening[exchange] = None
        self._group.create_task(self._open(exchange, data), name=f"connect for {exchange.request_id}")

    async def _open(self, exchange: Exchange, data: bytes) -> None:
        try:
            connection = await self._connect()
        except (OSError, TimeoutError) as error:
            if exchange in self._opening:  # else the run was stopped meanwhile
                del self._opening[exchange]
                exchange.failure, exchange.detail = connect_failure(error)
                self._end(exchange)
            return
        if exchange not in self._opening:
            connection.abort()
            return
        del self._opening[exchange]
        exchange.connected_at = monotonic()
        self._busy[connection] = None
        connection.pending = data
        connection.send(exchange, data)

    async def _connect(self) -> Connection:
        host, port = self._where
        loop = asyncio.get_running_loop()
        name = host if self._tls is not None else None
        async with asyncio.timeout(self._plan.timeouts.connect):
            _, connection = await loop.create_connection(
                lambda: Connection(self, self._dialect), host, port, ssl=self._tls, server_hostname=name
            )
        return connection

    # -- what connections report ----------------------------------------------------------------------------

    def finished(self, exchange: Exchange, connection: Connection, *, reusable: bool) -> None:
        """See ``connection.Owner``."""
        self._busy.pop(connection, None)
        if reusable and not self._stopping:
            self._idle.append(connection)
        self._end(exchange)

    def stale(self, exchange: Exchange, connection: Connection) -> None:
        """See ``connection.Owner``."""
        self._busy.pop(connection, None)
        if self._stopping:
            exchange.unfinished = True
            self._end(exchange)
            return
        self._opening[exchange] = None
        self._group.create_task(self._open(exchange, connection.pending), name=f"connect for {exchange.request_id}")

    def closed(self, connection: Connection) -> None:
        """See ``connection.Owner``."""
        with contextlib.suppress(ValueError):
            self._idle.remove(connection)

    def _end(self, exchange: Exchange) -> None:
        if exchange.ended_at is None:
            exchange.ended_at = monotonic()
        after = self._after.pop(exchange.index, None)
        if after is not None:
            after(exchange)
        self._ended(exchange)
        if not self.in_flight:
            self._done.set()

    # -- the end --------------------------------------------------------------------------------------------

    async def _drain(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._plan.drain_seconds):
                while self.in_flight:
                    self._done.clear()
                    await self._done.wait()
        self._stopping = True
        self._abandon()

    def _abandon(self) -> None:
        for connection in list(self._busy):
            connection.leave_unfinished()
        for exchange in list(self._opening):
            del self._opening[exchange]
            exchange.unfinished = True
            self._end(exchange)

    @contextlib.asynccontextmanager
    async def _sweeping(self) -> AsyncIterator[None]:
        task = self._group.create_task(self._sweep(), name="timeouts")
        try:
            yield
        finally:
            task.cancel()

    async def _sweep(self) -> None:
        """End what took too long. One look at all of them is cheaper than a timer for each."""
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = monotonic()
            for connection in list(self._busy):
                exchange = connection.exchange
                found = None if exchange is None else overdue(exchange, now, self._plan.timeouts)
                if found is not None:
                    connection.fail(*found)
