"""Row ``rollouts``: version after version takes over and is replaced, while streams run."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import dataclass, field

import httpx
import uvloop

from benchmarks.gateway.matrix import Canary
from benchmarks.gateway.stack import Gateway, gateway, server
from benchmarks.gateway.tally import Tally, whole_body
from benchmarks.loopback.surroundings import Surroundings
from benchmarks.serving.server_process import free_port

ROW = "rollouts"
ROLLOUTS = 100
STEPS = ((5.0, 0.1), (25.0, 0.1), (50.0, 0.1), (100.0, 0.3), (0.0, 0.0))
"""Green's weight, and for how many seconds."""
CLIENTS = 30
DRAIN_SECONDS = 30.0


def measure(around: Surroundings) -> None:
    """Walk the weights up and down, wait until no stream runs on green, replace its server, and again."""
    rollouts = 3 if around.quick else ROLLOUTS
    blue, canary = free_port(), Canary(f"{ROW}-green", around)
    with contextlib.ExitStack() as stack:
        stack.enter_context(server(f"{ROW}-blue", blue, around))
        stack.callback(canary.stop)
        canary.start()
        ours = stack.enter_context(gateway(ROW, {"blue": blue, "green": canary.port}, around))
        before = around.quiet()
        tally = Tally(whole_body(blue, stream=True), {"stream": True})
        walk = _Walk(ours, canary)
        uvloop.run(_all(walk, tally, rollouts))
        time.sleep(1.0)  # until the last attempt is in the log and counted
        counted = ours.traffic()["environments"]
    ends = {name: tally.ends[name] for name in ("whole", "failed", "cut", "silent")}
    shares = {f"{name}_attempts": counted[name]["attempts"] for name in ("blue", "green")}
    values = {
        "rollouts": rollouts,
        "changes": walk.changes,
        "swaps": walk.swaps,
        "streams": tally.ends.total(),
        **ends,
        **shares,
    }
    around.record(
        ROW,
        values=values,
        examples=tally.examples,
        before=before,
        parameters={
            "clients": CLIENTS,
            "steps": STEPS,
            "stream_bytes": len(tally.expected),
        },
    )


@dataclass
class _Walk:
    """The rollouts, and what they did."""

    ours: Gateway
    canary: Canary
    changes: int = 0
    swaps: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self, rollouts: int) -> None:
        async with httpx.AsyncClient(timeout=DRAIN_SECONDS) as client:
            for _ in range(rollouts):
                for green, seconds in STEPS:
                    answer = await client.put(self.ours.url, json={"weights": {"blue": 100 - green, "green": green}})
                    answer.raise_for_status()
                    self.changes += 1
                    await asyncio.sleep(seconds)
                await self._drained(client)
                await asyncio.to_thread(self._swap)
        self.ended.set()

    async def _drained(self, client: httpx.AsyncClient) -> None:
        async with asyncio.timeout(DRAIN_SECONDS):
            while (await client.get(f"http://127.0.0.1:{self.canary.port}/active")).text != "0":  # noqa: ASYNC110
                await asyncio.sleep(0.02)

    def _swap(self) -> None:
        """Another version on the same address, reached before anything is sent to it."""
        self.canary.stop()
        self.canary.start()
        self.swaps += 1
        self.ours.wait_until("green", healthy=True)


async def _all(walk: _Walk, tally: Tally, rollouts: int) -> None:
    async with asyncio.TaskGroup() as group:
        group.create_task(walk.run(rollouts), name="rollouts")
        for number in range(CLIENTS):
            group.create_task(_client(walk, tally), name=f"client {number}")


async def _client(walk: _Walk, tally: Tally) -> None:
    while not walk.ended.is_set():
        await tally.ask(walk.ours.port)
