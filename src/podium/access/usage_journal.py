"""The memory of usage: counted on the event loop, written by a thread, so that serving never waits for a disk."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from podium.access.ledger import Used
from podium.access.usage import HOUR_SECONDS, Payer, Tally, UsageRow, usage_rows
from podium.access.usage_file import QUARTER_SECONDS, QUARTERS_OF_AN_HOUR, PastUse, UsageBatch, UsageFile
from podium.aio import tasks
from podium.aio.backoff import Backoff
from podium.core.errors import Unavailable

log = structlog.get_logger(__name__)

T = TypeVar("T")

PAUSE_SECONDS = 0.25
MOST_PENDING = 10_000  # rows, not requests: those of one payer and quarter are one row
FIRST_RETRY_SECONDS = 0.5
MOST_RETRY_SECONDS = 10.0


class UsageJournal:
    """Usage in the SQLite file ``path`` if that exists or ``create`` is true, else in memory.

    What is counted is in the file a quarter of a second later, so that a process that is killed loses no more
    than that, and of requests that still ran what came after their last ``note``: those are ended, with it, when
    the next process opens the file. While the file cannot be written (a full disk) everything stays in memory
    and is tried again; only beyond ``MOST_PENDING`` rows is it dropped and counted. ``wall`` is the wall clock,
    which labels what is written and moves nothing else.
    """

    def __init__(
        self,
        path: Path | None,
        *,
        create: bool = False,
        wall: Callable[[], float] = time.time,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self.dropped = 0
        self.failures = 0
        self._file = UsageFile(path, create=create, wall=wall)
        self._wall = wall
        self._pause_seconds = pause_seconds
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="usage journal")
        self._batch = UsageBatch()
        self._on_its_way = 0
        self._noted: set[str] = set()
        self._dirty = asyncio.Event()
        self._closing = asyncio.Event()
        self._turn = asyncio.Lock()
        self._task: asyncio.Task[None] | None = None
        self._cleaned_at = 0.0
        self._works = True

    @property
    def pending(self) -> int:
        """Rows that are not written yet."""
        return len(self._batch) + self._on_its_way

    async def open(self) -> list[PastUse]:
        """Begin. Returns what earlier processes used; nothing, and a line in the log, when it cannot be read."""
        found: list[PastUse] = []
        try:
            await self._run(self._file.clean_up)
            found = await self._run(self._file.past_uses)
        except (sqlite3.Error, OSError) as error:
            self._note_failure(error)
        self._cleaned_at = self._wall()
        self._task = tasks.start(self._write_on(), name="usage journal")
        return found

    async def aclose(self) -> None:
        """Write what is left, once, and stop. Idempotent."""
        self._closing.set()
        self._dirty.set()
        if self._task is not None:
            await self._task
            self._task = None
            await self._run(self._file.close)
        self._thread.shutdown()

    def add(self, request: str, payer: Payer, tally: Tally) -> None:
        """Count a request that ended. Never waits."""
        if request in self._noted:
            self._noted.discard(request)
            self._batch.running.pop(request, None)
            self._batch.over.add(request)
        quarter = int(self._wall() // QUARTER_SECONDS)
        if len(self._batch) >= MOST_PENDING and (quarter, payer) not in self._batch.tallies:
            self.dropped += 1
            return
        self._batch.add(quarter, payer, tally)
        self._dirty.set()

    def note(self, request: str, payer: Payer, used: Used) -> None:
        """How far a running request is: what counts of it if this process is killed. Never waits."""
        if len(self._batch) >= MOST_PENDING:
            return
        self._noted.add(request)
        self._batch.running[request] = (payer, used)
        self._batch.over.discard(request)
        self._dirty.set()

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> list[UsageRow]:
        """Everything that ended in the last ``since_seconds``, rounded up to whole hours. Raises ``Unavailable``."""
        first = int(max(0.0, self._wall() - since_seconds) // HOUR_SECONDS) * QUARTERS_OF_AN_HOUR
        async with self._turn:  # nothing is on its way to the file
            try:
                found = await self._run(lambda: self._file.tallies(first))
            except (sqlite3.Error, OSError) as error:
                self._note_failure(error)
                raise Unavailable("The record of usage cannot be read now. Try again later.") from error
            waiting = [(payer, tally) for (quarter, payer), tally in self._batch.tallies.items() if quarter >= first]
        return usage_rows([*found, *waiting], tenant=tenant, key_id=key_id)

    async def _write_on(self) -> None:
        backoff = Backoff(FIRST_RETRY_SECONDS, MOST_RETRY_SECONDS)
        while not self._closing.is_set():
            await self._dirty.wait()
            await self._pause(self._pause_seconds)
            async with self._turn:
                written = await self._flush()
            if written:
                backoff.reset()
            elif not self._closing.is_set():
                await self._pause(backoff.next_seconds())
        async with self._turn:
            await self._flush()

    async def _pause(self, seconds: float) -> None:
        """Until then, or until it is time to close."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return

    async def _flush(self) -> bool:
        """Write what waits; whether it could be. What could not goes on waiting."""
        batch, self._batch = self._batch, UsageBatch()
        self._on_its_way = len(batch)
        self._dirty.clear()
        try:
            await self._run(lambda: self._file.write(batch))
        except (sqlite3.Error, OSError) as error:
            batch.put_back(self._batch)
            self._batch = batch
            self._dirty.set()
            self._note_failure(error)
            return False
        finally:
            self._on_its_way = 0
        self._note_success()
        await self._clean_up()
        return True

    async def _clean_up(self) -> None:
        now = self._wall()
        if abs(now - self._cleaned_at) < HOUR_SECONDS:
            return
        self._cleaned_at = now
        try:
            await self._run(self._file.clean_up)
        except (sqlite3.Error, OSError) as error:
            self._note_failure(error)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _note_failure(self, error: Exception) -> None:
        self.failures += 1
        if self._works:
            log.error("usage cannot be written", what_holds="it is kept in memory", reason=type(error).__name__)
        self._works = False

    def _note_success(self) -> None:
        if not self._works:
            log.warning("usage is written again")
        self._works = True
