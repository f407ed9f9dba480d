"""Computations that further requests may join, by key."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence

from podium.aio import tasks
from podium.cache.key import CacheKey
from podium.models.computation import Computation


class Running:
    """Keys lead to the one computation that answers them. ``aclose`` ends what goes on without a reader."""

    def __init__(self) -> None:
        self._by_key: dict[CacheKey, Computation] = {}
        self._keepers: dict[Computation, asyncio.Task[None]] = {}

    def find(self, key: CacheKey) -> Computation | None:
        """The computation under ``key``, if one runs or is about to."""
        return self._by_key.get(key)

    def enter(self, keys: Sequence[CacheKey], computation: Computation) -> None:
        """Let others join under ``keys``; one that is taken stays with its computation, unless that is due later."""
        for key in keys:
            present = self._by_key.get(key)
            if present is None or not present.is_due(computation.priority_class):
                self._by_key[key] = computation

    def leave(self, keys: Sequence[CacheKey], computation: Computation) -> None:
        """Nobody can join any more."""
        for key in keys:
            if self._by_key.get(key) is computation:
                del self._by_key[key]

    def keep_going(self, computation: Computation, seconds: float) -> None:
        """Read a computation that its last reader has left, so that a retry finds it; abort it after ``seconds``."""
        if computation not in self._keepers:
            task = self._keepers[computation] = tasks.start(_read(computation, seconds), name="detached computation")
            task.add_done_callback(lambda _: self._keepers.pop(computation, None))

    async def aclose(self) -> None:
        """Abort what goes on without a reader."""
        await tasks.stop(*self._keepers.values())


async def _read(computation: Computation, seconds: float) -> None:
    """Read on until the end, or until ``seconds`` have passed; a reader that came back keeps it alive."""
    reader = computation.reader()
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await computation.finished()
    finally:
        computation.on_detached = None  # the second time nobody keeps it
        reader.close()
