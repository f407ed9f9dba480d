"""Row ``quotas``: quotas hold across processes, whatever clients do, and though one process is killed."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import redis
import uvloop

from benchmarks.access.borrowed import RedisServer, redis_server, soon
from benchmarks.access.metrics import scrape
from benchmarks.access.places import Key, Place, Wanted, make_keys
from benchmarks.access.quotas_history import Bound
from benchmarks.access.quotas_traffic import TOKEN_SECONDS, Traffic, planned
from benchmarks.loopback.podium_server import Podium, Wish, podium_servers
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.timings import quantile
from podium.core.identity import Quotas

ROW = "quotas"
PROCESSES = 4
REQUESTS, PER_SECOND = 10_000, 40.0
QUICK_REQUESTS, QUICK_PER_SECOND = 2_400, 25.0
SEED = 3
KILLED_WITHIN = (0.35, 0.6)
"""The kill is at a random moment in this part of the time that the requests take."""
LEAST_ANSWERING = 3
LOOK_SECONDS = 0.2
LONGEST_HELD_SECONDS = 90.0
LEASES = "podium:{q}:leases"
WANTED = (
    Wanted("alpha", Quotas(tokens_per_minute=12_000)),
    Wanted("beta", Quotas(tokens_per_minute=18_000, requests_per_minute=200)),
    Wanted("gamma", Quotas(requests_per_minute=240)),
    Wanted("delta", Quotas(tokens_per_minute=15_000)),
    Wanted("delta"),
)
TENANT, TENANT_TOKENS = "delta", 20_000


def measure(around: Surroundings) -> None:
    """Random traffic over four processes; one is killed while it holds requests, and stays dead."""
    count, per_second = (QUICK_REQUESTS, QUICK_PER_SECOND) if around.quick else (REQUESTS, PER_SECOND)
    with redis_server() as store:
        place = Place(around.work / "unused.db", store.url)
        *keys, watcher = make_keys(place, [*WANTED, Wanted("operator", roles=("metrics",))])
        sections = place.sections()
        sections["access"]["tenants"] = {TENANT: {"tokens_per_minute": TENANT_TOKENS}}
        sections["cache"] = {"store": "off"}
        wish = Wish(ROW, {"token_interval_seconds": TOKEN_SECONDS, "max_batch_sequences": 256}, sections)
        with podium_servers(wish, PROCESSES, around) as servers:
            before = around.quiet()
            run = _Run(servers, keys, store, count, per_second)
            found = uvloop.run(run.run())
            calls_failed = sum(_calls_failed(server, watcher) for server in servers if server.port in run.traffic.ports)
    bounds = [_judged(bound, run.traffic) for bound in _bounds(keys)]
    values = {
        "processes": PROCESSES,
        "requests": count,
        "tokens_over": sum(max(0, one["most"] - one["quota"]) for one in bounds if one["unit"] == "tokens"),
        "requests_over": sum(max(0, one["most"] - one["quota"]) for one in bounds if one["unit"] == "requests"),
        "tokens_delivered": sum(tokens for key in keys for _, tokens in run.traffic.history.tokens.get(key.id, [])),
        "store_calls_failed": int(calls_failed),
        **found,
    }
    around.record(
        ROW,
        values=values,
        bounds=bounds,
        statuses=dict(sorted(run.traffic.counts.items())),
        tokens_by_second=[run.traffic.history.tokens_by_second(key.id, run.started) for key in keys],
        before=before,
        parameters={"per_second": per_second, "seed": SEED, "token_seconds": TOKEN_SECONDS},
    )


def _bounds(keys: Sequence[Key]) -> list[Bound]:
    """Every quota that was set."""
    found = []
    for number, (wanted, key) in enumerate(zip(WANTED, keys, strict=True), 1):
        name, quotas = f"key {number} ({wanted.tenant})", wanted.quotas
        if quotas.tokens_per_minute is not None:
            found.append(Bound(name, (key.id,), "tokens", quotas.tokens_per_minute))
        if quotas.requests_per_minute is not None:
            found.append(Bound(name, (key.id,), "requests", quotas.requests_per_minute))
    together = tuple(key.id for key in keys if key.tenant == TENANT)
    return [*found, Bound(f"tenant {TENANT}", together, "tokens", TENANT_TOKENS)]


def _judged(bound: Bound, traffic: Traffic) -> dict[str, Any]:
    most = traffic.history.most(bound)
    return {"name": bound.name, "unit": bound.unit, "quota": bound.most, "most": most, "share": most / bound.most}


def _calls_failed(server: Podium, watcher: Key) -> float:
    return scrape(server.admin_port, watcher.text).sum("podium_store_calls_failed_total", 'purpose="ledger"')


@dataclass
class _Killed:
    """Who was killed, when, and how many reservations it held."""

    port: int
    at: float
    held: int


class _Run:
    """The traffic, the kill, and the look at what the dead process holds."""

    def __init__(
        self, servers: Sequence[Podium], keys: Sequence[Key], store: RedisServer, count: int, per_second: float
    ) -> None:
        self.started = 0.0
        self._chance = random.Random(SEED)  # noqa: S311 - a repeatable run, no secret
        self.traffic = Traffic([server.port for server in servers], self._chance)
        self._servers = servers
        self._store = store
        self._requests = [planned(number, keys, self._chance) for number in range(count)]
        self._per_second = per_second

    async def run(self) -> dict[str, Any]:
        """How long the dead process's reservations were held, and how late this client was at most."""
        self.started = time.monotonic()
        async with asyncio.TaskGroup() as group:
            lag = group.create_task(self.traffic.watch_lag(), name="lag")
            killing = group.create_task(self._kill_and_watch(), name="kill")
            await self.traffic.send_all(self._requests, self._per_second)
            took = time.monotonic() - self.started
            killed, held_seconds = await killing
            lag.cancel()
        lags = sorted(self.traffic.lags)
        return {
            "seconds": round(took, 1),
            "killed_at_seconds": round(killed.at - self.started, 1),
            "held_by_the_dead": killed.held,
            "held_seconds": round(held_seconds, 2),
            "client_lag_p99_seconds": round(quantile(lags, 0.99), 4),
            "client_lag_max_seconds": round(lags[-1], 4),
        }

    async def _kill_and_watch(self) -> tuple[_Killed, float]:
        expected = len(self._requests) / self._per_second
        await asyncio.sleep(expected * self._chance.uniform(*KILLED_WITHIN))
        with self._store.client() as client:
            killed = await self._kill(client)
            while await self._held_by(client, killed.port):
                if time.monotonic() - killed.at > LONGEST_HELD_SECONDS:
                    break
                await asyncio.sleep(LOOK_SECONDS)
        return killed, time.monotonic() - killed.at

    async def _kill(self, client: redis.Redis) -> _Killed:
        """SIGKILL for a server that has begun at least some answers."""
        server = self._chance.choice(self._servers)
        answering = self.traffic.answering.setdefault(server.port, set())
        await soon("the victim answers", lambda: len(answering) >= LEAST_ANSWERING, seconds=LONGEST_HELD_SECONDS)
        os.kill(server.process.pid, signal.SIGKILL)
        at = time.monotonic()
        return _Killed(server.port, at, await self._held_by(client, server.port))

    async def _held_by(self, client: redis.Redis, port: int) -> int:
        """Reservations in the store of requests that went to that server."""
        members: Any = await asyncio.to_thread(client.zrange, LEASES, 0, -1)
        names = (bytes(member).decode().partition(":")[0] for member in members)
        return sum(self.traffic.server_of.get(name) == port for name in names)
