"""The monitor: once a second it asks everything, puts down what it learnt, and judges the rules."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from podium.monitor.alerts import AlertBook
from podium.monitor.catalog import Catalog, Key
from podium.monitor.rings import Rings
from podium.monitor.target import Target
from podium.monitor.windows import Windows

log = structlog.get_logger(__name__)

INTERVAL_SECONDS = 1.0
CLOCK_JUMP_SECONDS = 2.0
CLOCK_JUMP_SHOWN_SECONDS = 600.0


@dataclass(frozen=True)
class Problem:
    """Something that keeps the monitor from telling the whole truth."""

    subject: str
    sentence: str


class Kept(Protocol):
    """A file of the monitor's."""

    @property
    def problem(self) -> str:
        """Why it does not hold what it should; empty while it does."""


class Monitor:
    """What is known of ``targets``, kept by ``catalog``. ``run`` keeps it up to date.

    ``own`` is this process, which is asked like a target and not listed. ``kept`` are files that say what is wrong.
    ``clock`` never goes back; ``wall_clock`` is the time of day. Figures are put down by ``clock``, so that a jump of
    the time of day moves none of them, and is told.
    """

    def __init__(
        self,
        targets: Sequence[Target],
        catalog: Catalog,
        alerts: AlertBook,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
        kept: Sequence[Kept] = (),
        own: Target | None = None,
    ) -> None:
        self.targets = tuple(targets)
        self.alerts = alerts
        levels = [row for key, row in catalog.rows.items() if catalog.kinds[key] != "counter"]
        self.rings = Rings(len(catalog.rows), levels)
        self.windows = Windows(self.rings, catalog)
        self._catalog = catalog
        self._clock = clock
        self._wall_clock = wall_clock
        self._started = clock()
        self._written: float | None = None
        self._offset = wall_clock() - clock()
        self._kept = tuple(kept)
        self._asked = (*self.targets, *(() if own is None else (own,)))
        self._jump: tuple[float, float] | None = None

    async def run(self) -> None:
        """Go on until cancelled. A round that takes longer than its second delays the next one, never doubles it."""
        while True:
            began = self._clock()
            await self.round()
            await asyncio.sleep(max(0.05, INTERVAL_SECONDS - (self._clock() - began)))

    async def round(self) -> None:
        """Ask every target at the same time, and judge what they say. A target that fails leaves a gap."""
        learnt = await asyncio.gather(*(target.scrape() for target in self._asked))
        now, wall = self._clock(), self._wall_clock()
        self._watch_the_clock(now, wall)
        second = int(now)
        if self.rings.newest is None or second > self.rings.newest:
            together = self._together([values for values in learnt if values is not None])
            covered = 0.0 if self._written is None else now - self._written
            self.rings.write(second, together, covered_seconds=covered)
            self._written = now
        self.alerts.evaluate(self.windows, self.targets, now=now, wall=wall)

    @property
    def has_looked(self) -> bool:
        """Whether anything was put down yet."""
        return self._written is not None

    @property
    def age_seconds(self) -> float:
        """How long ago the newest figures were put down; since the start, when none were."""
        return self._clock() - (self._started if self._written is None else self._written)

    @property
    def written_at(self) -> float:
        """When the newest figures were put down, by the present time of day."""
        return self._wall_clock() - self.age_seconds

    @property
    def problems(self) -> list[Problem]:
        """What is wrong with the figures now; empty when all of them can be trusted."""
        found = [Problem(target.name, target.problem) for target in self.targets if target.problem]
        if self._jump is not None and self._clock() - self._jump[0] < CLOCK_JUMP_SHOWN_SECONDS:
            told = f"the time of day jumped by {self._jump[1]:+.0f} s; times before the jump are shown in the new time"
            found.append(Problem("clock", told))
        if self._catalog.left_out:
            names = ", ".join(self._catalog.left_out)
            found.append(Problem("memory", f"no room for a history of {names}; they count in the totals"))
        found += [Problem("disk", kept.problem) for kept in self._kept if kept.problem]
        return found

    def _together(self, learnt: Sequence[dict[Key, float]]) -> dict[int, float]:
        rows: dict[int, float] = {}
        for values in learnt:
            for key, value in values.items():
                row = self._catalog.rows[key]
                if row not in rows:
                    rows[row] = value
                elif self._catalog.kinds[key] == "max":
                    rows[row] = max(rows[row], value)
                else:
                    rows[row] += value
        return rows

    def _watch_the_clock(self, now: float, wall: float) -> None:
        jump = (wall - now) - self._offset
        if abs(jump) > CLOCK_JUMP_SECONDS:
            self._jump = (now, jump)
            self._offset = wall - now
            self.alerts.shift(jump)
            log.warning("the time of day jumped", seconds=round(jump, 1))
