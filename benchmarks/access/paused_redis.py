"""Row ``paused_redis``: a Redis that stops, dies, comes back empty or is full costs little and fails no request."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop

from benchmarks.access.borrowed import RedisServer, redis_server
from benchmarks.access.places import Place, counted_key
from benchmarks.access.steady_load import CLIENTS, REQUESTS_PER_SECOND, Outcome, SteadyLoad
from benchmarks.loopback.latencies import histogram, milliseconds
from benchmarks.loopback.podium_server import Podium, Wish, podium_server
from benchmarks.loopback.surroundings import Surroundings

ROW = "paused_redis"
WARM_SECONDS, BEFORE_SECONDS, AWAY_SECONDS, AFTER_SECONDS = 2.0, 5.0, 10.0, 10.0
QUICK_AWAY_SECONDS = 5.0
FIRST_CALLS = 3
KEPT_SAMPLES = 40
SERVER_ERROR = 500


@dataclass
class _Trouble:
    """What happens to a Redis: ``begin`` and ``end`` it. ``folder`` holds what it wrote, for a new process."""

    redis: RedisServer
    folder: Path
    stack: contextlib.ExitStack

    def again(self, *options: str) -> None:
        """A new Redis on the same port."""
        self.stack.enter_context(redis_server(*options, port=self.redis.port))

    def memory(self, most_bytes: int) -> None:
        """How much it may hold; 0 is any amount."""
        with self.redis.client() as client:
            client.config_set("maxmemory", most_bytes)


def _durable(folder: Path) -> tuple[str, ...]:
    return ("--dir", str(folder), "--appendonly", "yes", "--appendfsync", "everysec")


Act = Callable[[_Trouble], None]
TROUBLES: dict[str, tuple[Act, Act]] = {
    "paused": (lambda it: it.redis.freeze(), lambda it: it.redis.thaw()),
    "killed": (lambda it: it.redis.kill(), lambda it: it.again(*_durable(it.folder))),
    "emptied": (lambda it: it.redis.kill(), lambda it: it.again()),
    "full": (lambda it: it.memory(1), lambda it: it.memory(0)),
}


def measure(around: Surroundings) -> None:
    """Each trouble on a fresh Redis and a fresh server."""
    for name in TROUBLES:
        folder = around.work / f"redis-{name}"
        folder.mkdir(parents=True)
        with contextlib.ExitStack() as stack:
            redis = stack.enter_context(redis_server(*_durable(folder), "--maxmemory-policy", "noeviction"))
            place = Place(around.work / "unused.db", redis.url)
            key = counted_key(place)
            server = stack.enter_context(podium_server(Wish(f"{ROW}-{name}", sections=place.sections()), around))
            before = around.quiet()
            run = uvloop.run(_run(server, key.text, _Trouble(redis, folder, stack), name, around))
        _record(name, run, before, around)


@dataclass(frozen=True)
class _Timeline:
    """When the trouble began and ended, and every request."""

    started: float
    began: float
    ended: float
    outcomes: Sequence[Outcome]

    def before(self) -> list[Outcome]:
        """Answered before the trouble, without the first seconds."""
        return [one for one in self.outcomes if one.sent >= self.started and one.sent + one.seconds <= self.began]

    def during(self) -> list[Outcome]:
        """Sent while it lasted, or on their way when it began."""
        return [one for one in self.outcomes if one.sent < self.ended and one.sent + one.seconds > self.began]

    def after(self) -> list[Outcome]:
        """Sent when it was over."""
        return [one for one in self.outcomes if one.sent >= self.ended]


async def _run(server: Podium, key: str, trouble: _Trouble, name: str, around: Surroundings) -> _Timeline:
    away = QUICK_AWAY_SECONDS if around.quick else AWAY_SECONDS
    begin, end = TROUBLES[name]
    started = time.monotonic() + WARM_SECONDS
    load = SteadyLoad(server, key)
    async with asyncio.TaskGroup() as group:
        group.create_task(load.run(started + BEFORE_SECONDS + away + AFTER_SECONDS), name="load")
        await asyncio.sleep(started + BEFORE_SECONDS - time.monotonic())
        began = time.monotonic()
        await asyncio.to_thread(begin, trouble)
        await asyncio.sleep(began + away - time.monotonic())
        await asyncio.to_thread(end, trouble)
        ended = time.monotonic()
    return _Timeline(started, began, ended, sorted(load.outcomes, key=lambda one: one.sent))


def _record(name: str, run: _Timeline, before: dict[str, object], around: Surroundings) -> None:
    calm = [one.seconds for one in run.before()]
    during = run.during()
    count = FIRST_CALLS + sum(one.sent < run.began for one in during)
    first, others = during[:count], during[count:]
    figures = {"before": milliseconds(calm), "during": milliseconds(one.seconds for one in others)}
    figures["after"] = milliseconds(one.seconds for one in run.after())
    statuses = Counter(one.status for one in run.outcomes)
    phases = {"before": run.before(), "during": during, "after": run.after()}
    values = {
        "requests": len(run.outcomes),
        "away_seconds": round(run.ended - run.began, 2),
        "first_calls_extra_ms": [round(1000 * one.seconds - figures["before"]["p50_ms"], 2) for one in first],
        "p99_before_ms": figures["before"]["p99_ms"],
        "p99_during_ms": figures["during"]["p99_ms"],
        "p99_after_ms": figures["after"]["p99_ms"],
        "max_during_ms": figures["during"]["max_ms"],
        "server_errors": sum(count for status, count in statuses.items() if status >= SERVER_ERROR),
        "other_failures": sum(count for status, count in statuses.items() if status < SERVER_ERROR and status != 200),
        **_recovery(run),
    }
    around.record(
        ROW,
        setting=name,
        values=values,
        figures=figures,
        statuses=statuses,
        cache={phase: Counter(one.cache for one in found) for phase, found in phases.items()},
        histograms_microseconds={phase: histogram(one.seconds for one in found) for phase, found in phases.items()},
        first_samples=[_sample(one, run.began) for one in during[:KEPT_SAMPLES]],
        before=before,
        parameters={"clients": CLIENTS, "requests_per_second": REQUESTS_PER_SECOND},
    )


def _recovery(run: _Timeline) -> dict[str, float | None]:
    """Seconds from the end of the trouble to the first hit, and to the first hit of an answer kept after it."""
    hits = [one for one in run.after() if one.cache == "hit"]
    new = [one for one in hits if one.first_asked >= run.ended]
    return {
        "hit_after_seconds": round(hits[0].sent - run.ended, 3) if hits else None,
        "new_hit_after_seconds": round(new[0].sent - run.ended, 3) if new else None,
    }


def _sample(one: Outcome, began: float) -> list[Any]:
    return [round(one.sent - began, 4), round(1000 * one.seconds, 2), one.status, one.cache]
