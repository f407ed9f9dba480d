"""Requests that ended lately at the replicas: asked for every other second, and kept as each of them last told it."""

from __future__ import annotations

import asyncio
import heapq
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import httpx
import msgspec

from podium.monitor.exposition import Garbage
from podium.monitor.target import Fetch, ScrapeRefused
from podium.protocols.recent_requests import RecentRequest, RecentRequestsAnswer

INTERVAL_SECONDS = 2.0
MOST_BYTES = 256 * 1024
MOST_SLOWEST = 20
MOST_NEWEST = 50

_decoder = msgspec.json.Decoder(RecentRequestsAnswer)


@dataclass
class RecentSource:
    """One replica's recent requests. ``problem`` says why they are old or missing; empty: they are not."""

    replica: str
    fetch: Fetch
    clock: Callable[[], float] = time.monotonic
    problem: str = "not asked yet"
    told: RecentRequestsAnswer | None = None
    answered_at: float | None = None

    async def ask(self) -> None:
        """Ask once. What was told before stays, with its age, when the answer is none. Raises on cancellation only."""
        try:
            told = _bounded(_decoder.decode(await self.fetch()))
        except (Garbage, msgspec.DecodeError, UnicodeDecodeError, RecursionError):  # the last: of endless brackets
            self.problem = "what it answers is no list of requests"
        except ScrapeRefused as refused:
            self.problem = str(refused)
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            self.problem = f"it does not answer: {type(error).__name__}"
        else:
            self.told, self.problem, self.answered_at = told, "", self.clock()

    def age_seconds(self) -> float | None:
        """How long ago it last told something; None when it never did."""
        return None if self.answered_at is None else self.clock() - self.answered_at


class RecentWatch:
    """All replicas. ``run`` keeps them up to date; ``slowest`` and ``newest`` are of all together, by replica."""

    def __init__(self, sources: Sequence[RecentSource] = ()) -> None:
        self.sources = tuple(sources)

    async def run(self) -> None:
        """Go on until cancelled. A replica that hangs delays nobody: each has a deadline."""
        while True:
            await self.round()
            await asyncio.sleep(INTERVAL_SECONDS)

    async def round(self) -> None:
        """Ask every replica once, at the same time."""
        await asyncio.gather(*(source.ask() for source in self.sources))

    @property
    def window_seconds(self) -> float | None:
        """How far back the slowest were looked for, at least; None while nobody told."""
        return min((told.window_seconds for _, told in self._told()), default=None)

    @property
    def slowest(self) -> list[tuple[str, RecentRequest]]:
        """The longest first."""
        found = [(name, one) for name, told in self._told() for one in told.slowest]
        return heapq.nlargest(MOST_SLOWEST, found, key=lambda entry: entry[1].e2e_seconds)

    @property
    def newest(self) -> list[tuple[str, RecentRequest]]:
        """The last that ended first."""
        found = [(name, one) for name, told in self._told() for one in told.newest]
        return heapq.nlargest(MOST_NEWEST, found, key=lambda entry: entry[1].at)

    def _told(self) -> Iterator[tuple[str, RecentRequestsAnswer]]:
        for source in self.sources:
            if source.told is not None:
                yield source.replica, source.told


def _bounded(told: RecentRequestsAnswer) -> RecentRequestsAnswer:
    return msgspec.structs.replace(told, slowest=told.slowest[:MOST_SLOWEST], newest=told.newest[:MOST_NEWEST])
