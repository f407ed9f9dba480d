"""Callers of an admission gate, and a clock that they share."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any

import uvloop

from podium.core.errors import Overloaded
from podium.engine.admission import AdmissionGate, Permit
from podium.engine.turns import Work

_TURNS_OF_THE_LOOP = 4  # start, wake up, act on it, and one to spare
_PATIENCE_SECONDS = 10.0


def play(scene: Coroutine[Any, Any, None]) -> None:
    """Run a scene to its end; one in which somebody waits for ever fails."""

    async def bounded() -> None:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await scene

    uvloop.run(bounded())


class Clock:
    """Stands still unless told."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Callers:
    """Each call is a task that asks for permits and then holds them. Every call ends in exactly one of four sets."""

    def __init__(self, gate: AdmissionGate) -> None:
        self.gate = gate
        self.works: dict[str, Work] = {}
        self.admitted: list[str] = []
        self.running: dict[str, Permit] = {}
        self.refused: dict[str, Overloaded] = {}
        self.cancelled: set[str] = set()
        self.ended: set[str] = set()
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def waiting(self) -> set[str]:
        """Who asked and has no answer."""
        return self.works.keys() - self.running.keys() - self.refused.keys() - self.cancelled - self.ended

    async def ask(self, name: str, work: Work) -> bool:
        """Whether it was admitted at once."""
        self.ask_later(name, work)
        await self.settle()
        return name in self.running

    def ask_later(self, name: str, work: Work) -> None:
        """Ask when the loop goes on."""
        self.works[name] = work
        self._tasks[name] = asyncio.get_running_loop().create_task(self._call(name, work), name=name)

    async def end(self, name: str, used_tokens: int | None = None) -> None:
        """What ran has used that much (as expected, when not said)."""
        self.end_later(name, used_tokens)
        await self.settle()

    def end_later(self, name: str, used_tokens: int | None = None) -> None:
        """The same; those who are admitted by it have not run yet."""
        self.ended.add(name)
        self.running.pop(name).release(self.works[name].tokens if used_tokens is None else used_tokens)

    async def cancel(self, name: str) -> None:
        """Cancel one that waits."""
        self.cancel_later(name)
        await self.settle()

    def cancel_later(self, name: str) -> None:
        """The same; it has not run yet."""
        self._tasks[name].cancel()

    async def settle(self) -> None:
        """Let everything run that can."""
        for _ in range(_TURNS_OF_THE_LOOP):
            await asyncio.sleep(0)

    async def finish(self) -> None:
        """Cancel who waits, end what runs."""
        for name in self.waiting:
            self._tasks[name].cancel()
        await self.settle()
        for name in list(self.running):
            self.end_later(name)
        await asyncio.gather(*self._tasks.values())

    async def _call(self, name: str, work: Work) -> None:
        try:
            permit = await self.gate.acquire(work)
        except Overloaded as refusal:
            self.refused[name] = refusal
        except asyncio.CancelledError:
            self.cancelled.add(name)
        else:
            self.admitted.append(name)
            self.running[name] = permit
