"""Works through the open batches of a folder, together with the other servers that share it."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from typing import Self

import structlog

from podium.aio import tasks
from podium.aio.backoff import Backoff
from podium.batches.finishing import ending_of
from podium.batches.folder import Lock
from podium.batches.keeper import BatchKeeper
from podium.batches.run import LOOK_SECONDS, Ask, BatchRun
from podium.batches.sweeping import sweep
from podium.core.batch import StoredBatch
from podium.core.errors import Unavailable

log = structlog.get_logger(__name__)
SWEEP_SECONDS = 60.0


class BatchRunner:
    """Entered: it looks for open batches and runs those whose lock it gets. Left: what runs is given up.

    A batch is run by one process at a time, because the kernel gives its lock to one; when that process dies the next
    one goes on where the results end. Which of those that wait comes first: of the tenant that has the fewest running
    here, then the oldest. ``body_bytes`` bounds the body of a line.
    """

    def __init__(self, keeper: BatchKeeper, ask: Ask, *, body_bytes: int) -> None:
        self._keeper = keeper
        self._ask = ask
        self._body_bytes = body_bytes
        self._slots = asyncio.Semaphore(keeper.settings.parallel)
        self._stopping = asyncio.Event()
        self._woken = asyncio.Event()
        self._running: dict[str, StoredBatch] = {}
        self._backoff = Backoff(1.0, 30.0)
        self._swept_at = -SWEEP_SECONDS
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._keeper.on_work = self._woken.set
        self._task = tasks.start(self._serve(), name="batches")
        return self

    async def drain(self, seconds: float) -> None:
        """Begin nothing new, and return when the lines that run have ended, at the latest after ``seconds``."""
        self._stopping.set()
        self._woken.set()
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=seconds)

    async def __aexit__(self, *_: object) -> None:
        try:
            await tasks.stop(self._task)
        finally:
            await self._keeper.aclose()

    async def _serve(self) -> None:
        async with asyncio.TaskGroup() as group:
            while not self._stopping.is_set():
                pause = LOOK_SECONDS
                self._woken.clear()
                try:
                    await self._sweep_sometimes()
                    await self._take_some(group)
                    self._backoff.reset()
                except Unavailable:  # logged where it was raised
                    pause = self._backoff.next_seconds()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):  # wait_for would lose a cancellation that comes with the event
                        await self._woken.wait()

    async def _take_some(self, group: asyncio.TaskGroup) -> None:
        room = self._keeper.settings.parallel - len(self._running)
        found = await self._keeper.work(self._keeper.batches.open)
        self._keeper.windows.keep(found)
        waiting = [one for one in found if one.id not in self._running]
        tenants = Counter(batch.tenant for batch in self._running.values())
        while waiting and room > 0:
            batch = min(waiting, key=lambda one: tenants[one.tenant])  # the first of them is the oldest
            waiting.remove(batch)
            if not self._is_ours(batch) or (lock := await self._lock(batch)) is None:
                continue
            self._running[batch.id] = batch
            tenants[batch.tenant] += 1
            room -= 1
            group.create_task(self._run(batch.id, lock), name=batch.id)

    def _is_ours(self, batch: StoredBatch) -> bool:
        """Any server may write the files of one whose lines are over; lines run where they were sent."""
        over = ending_of(batch, self._keeper.windows.left_seconds(batch)) is not None
        return over or batch.servers == self._keeper.settings.servers

    async def _lock(self, batch: StoredBatch) -> Lock | None:
        return await self._keeper.work(self._keeper.folder.lock, batch.id)

    async def _run(self, batch_id: str, lock: Lock) -> None:
        try:
            batch = await self._keeper.work(self._keeper.batches.find, None, batch_id)
            if batch is not None and not batch.ended:  # read again now that nobody else has it
                await self._run_locked(batch)
        except Exception:  # the task boundary: one batch that meets a bug or a bad disk must not stop the others
            log.exception("batch stopped", batch=batch_id)
            await self._wait_a_little()
        finally:
            lock.release()
            del self._running[batch_id]
            self._woken.set()

    async def _run_locked(self, batch: StoredBatch) -> None:
        ours = batch.servers == self._keeper.settings.servers
        run = BatchRun(
            self._keeper,
            self._ask,
            batch,
            body_bytes=self._body_bytes,
            slots=self._slots,
            stopping=self._stopping,
        )
        await run.run(may_ask=ours)

    async def _wait_a_little(self) -> None:
        """Before another try, here or elsewhere."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(5.0):  # wait_for would lose a cancellation that comes with the event
                await self._stopping.wait()

    async def _sweep_sometimes(self) -> None:
        now = asyncio.get_running_loop().time()
        if now - self._swept_at >= SWEEP_SECONDS:
            self._swept_at = now
            await self._keeper.work(sweep, self._keeper)
