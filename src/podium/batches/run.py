"""One batch in the hands of this process: its lines are asked, a few at a time, and each result is kept at once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Generator

import structlog

from podium.aio.backoff import Backoff
from podium.batches.finishing import Finishing, ending_of, finalizing
from podium.batches.judging import pause_before_again
from podium.batches.keeper import BatchKeeper
from podium.batches.lines import DamagedInput, Line, check, read_lines
from podium.batches.results import Answer, answered, line_id
from podium.core.batch import Ending, Problem, Result, Status, StoredBatch
from podium.core.errors import Unavailable
from podium.core.identity import Principal

log = structlog.get_logger(__name__)

Ask = Callable[[Principal, str, bytes, str], Awaitable[Answer]]
"""Asks on behalf of a principal, whose rights are looked up anew: endpoint, body, request id."""
LOOK_SECONDS = 0.5
_DAMAGED = (
    "This line cannot be read any more, although it could when the batch began: the server's disk has lost or changed "
    "it. What has been computed is in the files. Upload the lines that are left again."
)
KEEP_FIRST_SECONDS, KEEP_MOST_SECONDS = 0.25, 30.0


class _Over(Exception):
    """The lines that still run are not wanted any more."""


class BatchRun:
    """Takes a batch from wherever it is to its end, or to a stop. ``slots`` bounds lines of all batches together.

    ``stopping`` set: nothing new is asked, what runs is waited for. Cancelled: what runs is given up; it is asked
    again by whoever takes the batch next.
    """

    def __init__(
        self,
        keeper: BatchKeeper,
        ask: Ask,
        batch: StoredBatch,
        *,
        body_bytes: int,
        slots: asyncio.Semaphore,
        stopping: asyncio.Event,
    ) -> None:
        self._keeper = keeper
        self._ask = ask
        self._batch = batch
        self._body_bytes = body_bytes
        self._slots = slots
        self._stopping = stopping
        self._resume_at = 0.0
        self._turn = asyncio.Lock()
        self._lines: Generator[Line, None, None] | None = None
        self._done: set[int] = set()
        self._damage: DamagedInput | None = None

    async def run(self, *, may_ask: bool) -> None:
        """Work until the batch has ended or a stop is asked for. Unless it ``may_ask``, it can only end."""
        path = self._keeper.folder.content(self._batch.order.input_file_id)
        if not path.exists():
            await self._fail(Problem("input_file_missing", "The input file is not in the server's folder any more."))
            return
        try:
            await self._run(may_ask=may_ask)
        except DamagedInput as damage:
            await self._fail(Problem("input_file_damaged", _DAMAGED, damage.line))

    async def _run(self, *, may_ask: bool) -> None:
        ending = self._ending(self._batch)
        if ending is None and may_ask:
            if not self._batch.validated:
                await self._validate()
            if not self._batch.ended:
                ending = self._ending(self._batch) or await self._run_lines()
        if ending is not None:
            await self._finish(ending)

    def _ending(self, batch: StoredBatch) -> Ending | None:
        return ending_of(batch, self._keeper.windows.left_seconds(batch))

    async def _validate(self) -> None:
        settings, order = self._keeper.settings, self._batch.order
        path = self._keeper.folder.content(order.input_file_id)
        total, problems = await self._keeper.work(
            lambda: check(path, order.endpoint, most_lines=settings.lines, body_bytes=self._body_bytes)
        )
        now = self._keeper.wall()
        if problems:
            await self._change(lambda batch: _failed(batch, problems, now))
        else:
            await self._change(lambda batch: _validated(batch, total, now))

    async def _run_lines(self) -> Ending | None:
        """How the batch ends; None after a stop."""
        self._done = await self._keeper.work(self._keeper.batches.done, self._batch.id)
        self._lines = lines = read_lines(self._keeper.folder.content(self._batch.order.input_file_id))
        with contextlib.closing(lines), contextlib.suppress(_Over):
            await self._ask_all()
        if self._damage is not None:
            raise self._damage
        current = await self._keeper.work(self._keeper.batches.find, None, self._batch.id)
        if current is None:
            return None
        self._batch = current
        return self._ending(current)

    async def _ask_all(self) -> None:
        try:
            async with asyncio.TaskGroup() as group:
                watch = group.create_task(self._watch(), name=f"watch {self._batch.id}")
                async with asyncio.TaskGroup() as asking:
                    for number in range(self._keeper.settings.parallel):
                        asking.create_task(self._ask_some(), name=f"{self._batch.id} {number}")
                watch.cancel()
        except BaseExceptionGroup as errors:
            over, others = errors.split(_Over)
            if over is None or others is not None:
                raise
            raise _Over from None

    async def _watch(self) -> None:
        """Raises ``_Over`` when the batch is cancelled or its time is over."""
        while True:
            with contextlib.suppress(Unavailable):  # lines that run must not end because the folder is away for a while
                current = await self._keeper.work(self._keeper.batches.find, None, self._batch.id)
                if current is None or self._ending(current) is not None:
                    raise _Over
            await asyncio.sleep(min(LOOK_SECONDS, max(0.01, self._keeper.windows.left_seconds(self._batch))))

    async def _ask_some(self) -> None:
        while (line := await self._next()) is not None:
            answer = await self._answer(line)
            if answer is None:
                return
            await self._keep(answered(self._batch.id, line, answer))

    async def _keep(self, result: Result) -> None:
        """Until the folder takes it or a stop is asked for: what a full disk refuses must not be computed again."""
        backoff = Backoff(KEEP_FIRST_SECONDS, KEEP_MOST_SECONDS)
        while True:
            try:
                await self._keeper.work(self._keeper.batches.record, self._batch.id, result)
            except Unavailable:  # logged where it was raised
                if await self._stops_within(backoff.next_seconds()):
                    raise
            else:
                return

    async def _next(self) -> Line | None:
        async with self._turn:
            return None if self._stopping.is_set() else await self._keeper.work(self._next_line)

    def _next_line(self) -> Line | None:
        try:
            return next((line for line in self._lines or () if line.number not in self._done), None)
        except DamagedInput as damage:  # lines that run may end, and their results are kept
            self._damage = damage
            return None

    async def _answer(self, line: Line) -> Answer | None:
        """The answer that is the line's result; None when a stop comes before there is one."""
        tries = 1
        while await self._may_ask():
            async with self._slots:
                request_id = line_id(self._batch.id, line.number)
                answer = await self._ask(self._batch.owner, self._batch.order.endpoint, line.body, request_id)
            again = pause_before_again(answer, tries, self._keeper.settings.attempts)
            if again is None:
                return answer
            seconds, tried = again
            tries += tried
            loop = asyncio.get_running_loop()
            self._resume_at = max(self._resume_at, loop.time() + seconds)
        return None

    async def _may_ask(self) -> bool:
        """Wait for the end of a pause; False when a stop comes first."""
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set() and (left := self._resume_at - loop.time()) > 0:
            await self._stops_within(left)
        return not self._stopping.is_set()

    async def _stops_within(self, seconds: float) -> bool:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):  # wait_for would lose a cancellation that comes with the event
                await self._stopping.wait()
        return self._stopping.is_set()

    async def _finish(self, ending: Ending) -> None:
        now = self._keeper.wall()
        await self._change(lambda batch: finalizing(batch, ending, now))
        await self._end(self._finishing().finish, self._batch.ending or ending)

    async def _fail(self, problem: Problem) -> None:
        await self._end(self._finishing().fail, problem)

    def _finishing(self) -> Finishing:
        keeper = self._keeper
        return Finishing(keeper.folder, keeper.batches, keeper.settings.keep_seconds, keeper.wall)

    async def _end(self, end: Callable[..., StoredBatch | None], *how: object) -> None:
        ended = await self._keeper.work(end, self._batch, *how)
        if ended is not None:
            counts = {"total": ended.total, "completed": ended.completed, "failed": ended.failed}
            log.info("batch ended", batch=ended.id, tenant=ended.tenant, status=ended.status, **counts)

    async def _change(self, change: Callable[[StoredBatch], StoredBatch]) -> None:
        changed = await self._keeper.work(self._keeper.batches.change, self._batch.id, change)
        self._batch = changed or self._batch


def _validated(batch: StoredBatch, total: int, now: float) -> StoredBatch:
    """One that was cancelled meanwhile stays so."""
    status: Status = "cancelling" if batch.status == "cancelling" else "in_progress"
    return batch.at(status, now, validated=True, total=total)


def _failed(batch: StoredBatch, problems: list[Problem], now: float) -> StoredBatch:
    return batch.at("failed", now, problems=tuple(problems))
