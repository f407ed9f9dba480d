"""Writes to the shared store, off the request path and in order."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, Self, TypeAlias

from podium.aio import tasks
from podium.store.link import StoreUnavailable

Job: TypeAlias = Callable[[], Coroutine[Any, Any, None]]

MOST_WAITING = 1024
WRITE_SECONDS = 0.25
"""Longest wait for a call that no request waits for."""

CLOSE_SECONDS = 0.5  # for what waits when the server stops; a lost answer is computed again, nothing more


class RedisWriter:
    """Does one job after the other, in the order given. What the store refuses is over: nothing is tried twice.

    Leaving the context does what waits, for half a second at most, and ends the task.
    """

    def __init__(self, *, most_waiting: int = MOST_WAITING) -> None:
        self._most_waiting = most_waiting
        self._jobs: deque[Job] = deque()
        self._came = asyncio.Event()
        self._empty = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = tasks.start(self._run(), name="cache writer")
        return self

    async def __aexit__(self, *_: object) -> None:
        task, self._task = self._task, None
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(CLOSE_SECONDS):
                    await self.done()
        finally:
            await tasks.stop(task)

    def submit(self, job: Job) -> bool:
        """Have ``job`` done; False when too many wait, or nobody works. Never waits."""
        if self._task is None or self._task.done() or len(self._jobs) >= self._most_waiting:
            return False
        self._jobs.append(job)
        self._empty.clear()
        self._came.set()
        return True

    async def done(self) -> None:
        """Wait until nothing waits."""
        if self._jobs:
            await self._empty.wait()

    async def _run(self) -> None:
        try:
            while True:
                while self._jobs:
                    with contextlib.suppress(StoreUnavailable):
                        await self._jobs[0]()
                    self._jobs.popleft()
                self._empty.set()
                self._came.clear()
                await self._came.wait()
        finally:
            self._empty.set()
