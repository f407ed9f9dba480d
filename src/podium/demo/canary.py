"""A stack with a stable and a faulty environment under load: what ``podium demo canary`` starts and ends."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from podium.aio import tasks
from podium.config.settings import Settings
from podium.demo.fault_proxy import Fault, FaultCounts, FaultProxy, listening
from podium.demo.load import ClientCounts, Load
from podium.supervisor.ports import free_ports
from podium.supervisor.stack import Addresses, Stack, running

STABLE, CANARY = "blue", "green"
_MODEL = "echo"


@dataclass(frozen=True)
class Play:
    """What is demonstrated. ``rate``: the part of the canary's requests that fail, 0 to 1."""

    fault: Fault
    rate: float
    requests_per_second: float


@dataclass(frozen=True)
class Stage:
    """What runs. The counts go on changing while it does; after ``Load.end`` those of the client come to rest."""

    addresses: Addresses
    client: ClientCounts
    proxy: FaultCounts


@asynccontextmanager
async def canary_stage(
    play: Play,
    folder: Path,
    environ: Mapping[str, str],
    written_to: TextIO,
    *,
    rollout: Mapping[str, Any] | None = None,
) -> AsyncIterator[Stage]:
    """Gateway, controller, two environments, the fault and the load; all of it is ended afterwards.

    ``folder`` is empty and gets what is kept; ``written_to`` gets what the processes write. ``rollout``: its settings
    where they are not the defaults; None: those of the demonstration, which is soon over.

    Raises:
        ConfigurationError: something cannot run here.
    """
    ports = dict(zip((STABLE, CANARY), free_ports(2), strict=True))
    fronts = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    stack = Stack(settings_in(folder, rollout), environ, written_to=written_to, fronts=fronts)
    behind = {replica.environment: replica.port for replica in stack.replicas}
    # Stable has a proxy too, one that fails nothing: with the detour on one side only, latencies could not be compared.
    stable, canary = FaultProxy(behind[STABLE], "none", 0.0), FaultProxy(behind[CANARY], play.fault, play.rate)
    load = Load(stack.addresses.gateway, _MODEL, play.requests_per_second)
    async with (
        listening(stable, ports[STABLE]),
        listening(canary, ports[CANARY]),
        running(stack),
        _sending(load),
    ):
        yield Stage(stack.addresses, load.counts, canary.counts)


@asynccontextmanager
async def _sending(load: Load) -> AsyncIterator[None]:
    """The load runs inside; in the end the last request has been answered, unless an error ended it."""
    sending = tasks.start(load.run(), name="load")
    try:
        yield
        load.end()
        await sending
    finally:
        await tasks.stop(sending)


_SOON_OVER: Mapping[str, Any] = {
    "steps": [10, 25, 50, 100],
    "interval_seconds": 1,
    "min_soak_seconds": 10,
    "max_bad_rate_increase": 0.1,
    "bake_seconds": 5,
    "settle_seconds": 10,
}


def settings_in(folder: Path, rollout: Mapping[str, Any] | None = None) -> Settings:
    """Two environments of one echo server each, on free ports; what is kept is kept in ``folder``."""
    judged = _SOON_OVER if rollout is None else rollout
    return Settings.model_validate(
        {
            "models": [{"name": _MODEL, "source": "none", "engine": {"kind": "echo"}}],
            "logs": {"format": "human", "level": "warning"},
            "server": {"drain_seconds": 1},
            "access": {"database": str(folder / "podium.db")},
            "gateway": {
                "listen": "127.0.0.1:0",
                "control": "127.0.0.1:0",
                "environments": {STABLE: {"replicas": 1}, CANARY: {"replicas": 1}},
                "first_byte_seconds": 1.0,
                "drain_seconds": 1,
                "envoy_threads": 1,
            },
            "rollout": {**judged, "history_file": str(folder / "rollouts.db")},
        }
    )
