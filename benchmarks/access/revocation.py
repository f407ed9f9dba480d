"""Row ``revocation``: how long a revoked key is still served, in each of several processes."""

from __future__ import annotations

import asyncio
import random
import time
from dataclasses import dataclass, field

import uvloop

from benchmarks.access.borrowed import redis_server, soon
from benchmarks.access.places import Key, Place, Wanted, add, make_keys
from benchmarks.loopback.connection import Connection
from benchmarks.loopback.http_message import get
from benchmarks.loopback.latencies import milliseconds
from benchmarks.loopback.podium_server import Podium, Wish, podium_servers
from benchmarks.loopback.surroundings import Surroundings
from podium.access.key_store import KeyStore

ROW = "revocation"
PROCESSES = 4
REVOCATIONS = 200
POLL_SECONDS = 0.005
STAYS_SECONDS = 0.3
LONGEST_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 0.25  # the interval at which servers look, so that revocations fall anywhere in it
SERVED, UNAUTHORIZED = 200, 401


def measure(around: Surroundings) -> None:
    """Create, wait until all accept it, revoke, poll until all refuse it."""
    count = 15 if around.quick else REVOCATIONS
    with redis_server() as redis:
        place = Place(around.work / "unused.db", redis.url)
        make_keys(place, [Wanted("first")])  # so that servers start with keys
        with podium_servers(Wish(ROW, sections=place.sections()), PROCESSES, around) as servers:
            before = around.quiet()
            trials = uvloop.run(_trials(place, servers, count))
    delays = [delay for trial in trials for delay in trial.delays]
    values = {
        "processes": PROCESSES,
        "revocations": count,
        **milliseconds(delays),
        "served_again": sum(trial.served_again for trial in trials),
    }
    samples = [[round(delay, 4) for delay in trial.delays] for trial in trials]
    around.record(ROW, values=values, samples_seconds=samples, before=before, parameters={"poll_seconds": POLL_SECONDS})


@dataclass
class _Trial:
    """Seconds from the revocation until each process refused the key for good."""

    delays: list[float] = field(default_factory=list)
    served_again: int = 0


@dataclass
class _Poller:
    """Asks one process with one key, until it is stopped. ``answers`` are (time answered, status)."""

    connection: Connection
    request: bytes
    answers: list[tuple[float, int]] = field(default_factory=list)
    stopped: bool = False

    def says(self, status: int) -> bool:
        """Whether the last answer had this status."""
        return bool(self.answers) and self.answers[-1][1] == status

    async def poll(self) -> None:
        while not self.stopped:
            answer = await self.connection.ask(self.request)
            self.answers.append((time.monotonic(), answer.status))
            await asyncio.sleep(POLL_SECONDS)


async def _trials(place: Place, servers: list[Podium], count: int) -> list[_Trial]:
    connections = [await Connection.open(server.port) for server in servers]
    rng = random.Random(11)  # noqa: S311 - moments, not secrets
    found = []
    async with place.open() as store:
        for number in range(count):
            key = await add(store, Wanted(f"tenant-{number}"))
            pollers = [
                _Poller(connection, get(server.port, "/v1/models", key=key.text))
                for connection, server in zip(connections, servers, strict=True)
            ]
            found.append(await _trial(store, key, pollers, rng.uniform(0, LONGEST_PAUSE_SECONDS)))
    for connection in connections:
        connection.close()
    return found


async def _trial(store: KeyStore, key: Key, pollers: list[_Poller], pause_seconds: float) -> _Trial:
    async with asyncio.TaskGroup() as group:
        for poller in pollers:
            group.create_task(poller.poll(), name="poll")
        await _all_say(pollers, SERVED)
        await asyncio.sleep(pause_seconds)
        await store.revoke(key.id, time.time())
        revoked = time.monotonic()
        await _all_say(pollers, UNAUTHORIZED)
        await asyncio.sleep(STAYS_SECONDS)
        for poller in pollers:
            poller.stopped = True
    trial = _Trial()
    for poller in pollers:
        _judge(poller, revoked, trial)
    return trial


def _judge(poller: _Poller, revoked: float, trial: _Trial) -> None:
    """The time of the first refusal after the last answer that was none."""
    last = max(number for number, (_, status) in enumerate(poller.answers) if status != UNAUTHORIZED)
    trial.delays.append(max(0.0, poller.answers[last + 1][0] - revoked))
    trial.served_again += any(at >= revoked and status == UNAUTHORIZED for at, status in poller.answers[:last])


async def _all_say(pollers: list[_Poller], status: int) -> None:
    said = f"every process answers {status}"
    await soon(said, lambda: all(poller.says(status) for poller in pollers), seconds=LONGEST_SECONDS)
