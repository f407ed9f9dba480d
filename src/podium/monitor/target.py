"""One thing that is scraped: what it last said, since when it says nothing, and what was wrong with it."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import httpx

from podium.monitor.catalog import SINCE, Catalog, Key
from podium.monitor.exposition import ExpositionReader, Garbage
from podium.monitor.gpus import Gpus

State = Literal["unknown", "up", "stale", "down", "garbage", "refused"]
"""``unknown``: not asked yet. ``stale``: the newest scrape failed, an earlier one is not old. ``down``: no answer for
longer. ``garbage``: it answers, with something else. ``refused``: it wants a key."""

Fetch = Callable[[], Awaitable[bytes]]
STALE_SECONDS = 5.0
_MOST = 1e30
"""Figures beyond, infinite ones and those that are no number say nothing; they must not count as something either."""
_DEFAULT_SUBJECTS = ("good", "bad", "excluded")


class ScrapeRefused(Exception):
    """The target answered with a status that is no success. ``status`` is the HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"it answered {status}")
        self.status = status


@dataclass
class Target:
    """A replica's admin port, or Envoy. ``always`` are counters that are 0 as long as it does not mention them."""

    name: str
    environment: str
    address: str
    fetch: Fetch
    meaning: Callable[[str, Mapping[str, str]], tuple[Key, ...]]
    catalog: Catalog
    always: tuple[Key, ...] = ()
    clock: Callable[[], float] = time.monotonic
    wall_clock: Callable[[], float] = time.time

    state: State = "unknown"
    problem: str = ""
    answered_at: float | None = None
    levels: dict[Key, float] = field(default_factory=dict)
    gpus: Gpus = field(default_factory=Gpus)

    def __post_init__(self) -> None:
        self._reader: ExpositionReader[tuple[Key, ...]] = ExpositionReader(self._of_interest)
        self._counters: dict[Key, float] | None = None
        self._first_asked: float | None = None

    async def scrape(self) -> dict[Key, float] | None:
        """Increments of counters since the last scrape that succeeded, and present levels; None when it failed.

        The first scrape has no increments. Never raises but on cancellation.
        """
        self._first_asked = self._first_asked or self.clock()
        try:
            found = self._reader.read(await self.fetch())
        except Garbage as garbage:
            self._failed("garbage", f"what it answers is no exposition: {garbage}")
        except ScrapeRefused as refused:
            state: State = "refused" if refused.status in (401, 403) else "garbage"
            self._failed(state, str(refused))
        except (httpx.HTTPError, TimeoutError, OSError) as error:
            self._failed(self._by_age(), f"it does not answer: {type(error).__name__}")
        else:
            return self._learn(found)
        return None

    def age_seconds(self) -> float | None:
        """How long ago it last answered well."""
        return None if self.answered_at is None else self.clock() - self.answered_at

    def _of_interest(self, name: str, labels: Mapping[str, str]) -> tuple[Key, ...] | None:
        wanted = self.meaning(name, labels)
        return tuple(key for key in wanted if key in self.catalog or key.scope == "gpu") or None

    def _by_age(self) -> State:
        since = self.answered_at if self.answered_at is not None else self._first_asked
        return "down" if since is None or self.clock() - since > STALE_SECONDS else "stale"

    def _failed(self, state: State, problem: str) -> None:
        self.state, self.problem = state, problem
        self.levels = {}
        self.gpus.forget()

    def _learn(self, found: list[tuple[tuple[Key, ...], float]]) -> dict[Key, float]:
        unknown = {key for keys, value in found if not -_MOST < value < _MOST for key in keys}
        told = [(key, value) for keys, value in found for key in keys if key not in unknown]
        self.gpus.learn({key: value for key, value in told if key.scope == "gpu"}, self.clock())
        counters, levels = dict.fromkeys(self.always, 0.0), dict[Key, float]()
        for key, value in told:
            if key.scope != "gpu":
                kind = self.catalog.kinds[key]
                if kind == "counter":
                    counters[key] = counters.get(key, 0.0) + value
                elif key.figure in SINCE:
                    levels[key] = max(levels.get(key, 0.0), self.wall_clock() - value)
                elif kind == "sum":
                    levels[key] = levels.get(key, 0.0) + value
                else:
                    levels[key] = max(levels.get(key, value), value)
        for key in levels:  # a model that it serves has counters, mentioned or not
            if key.scope == "model" and key.figure == "ready":
                counters = {**dict.fromkeys(_counters_of(self.catalog, key.subject), 0.0), **counters}
        counters = {key: value for key, value in counters.items() if key not in unknown}
        before = self._counters
        increments = {} if before is None else _increments(before, counters)
        kept = {key: before[key] for key in unknown if key in before} if before else {}
        self._counters, self.levels = {**counters, **kept}, levels
        self.state, self.problem, self.answered_at = "up", "", self.clock()
        return {**increments, **levels}


def _increments(before: Mapping[Key, float], now: Mapping[Key, float]) -> dict[Key, float]:
    """What was added. A counter that went back was started anew, and everything that it shows is new."""
    return {key: value - before[key] if value >= before.get(key, 0.0) and key in before else value
            for key, value in now.items()}  # fmt: skip


def _counters_of(catalog: Catalog, model: str) -> list[Key]:
    return [
        key for key, kind in catalog.kinds.items()
        if kind == "counter" and key.scope == "model" and key.subject == model
    ]  # fmt: skip
