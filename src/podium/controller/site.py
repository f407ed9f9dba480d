"""Where gateways and servers are. One machine and a cluster differ in this, and the controller is the same."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from podium.config.settings import Settings
from podium.controller.attempts_reader import Watcher
from podium.controller.fleet import EnvoyFleet
from podium.controller.restarts_file import RestartsFile
from podium.controller.revisions import usual_revisions
from podium.controller.run_folder import RunFolder
from podium.gateway.admin import EnvoyAdmin, Gateways
from podium.gateway.own_ports import own_ports_client
from podium.gateway.topology import Topology
from podium.gateway.traffic import Traffic
from podium.rollout.ports import Fleet
from podium.rollout.readiness_guard import LOADING_SECONDS

PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Site:
    """What the controller needs to know of a place.

    Attributes:
        admin: asks the gateways.
        discovery: the address on which gateways are fed, and ``handlers`` what else they may call there.
        began: when all that is watched here began, in seconds since 1970: no attempt before is in the log.
        loading_seconds: how long servers may load after that; 0 where they do not begin with the controller.
        revisions: usual names of what runs, by environment.
        log: the path of the attempts log as the gateways know it.
        fleet: sees the servers.
        client: asks them, and gateways.
        copies: where gateways send copies of requests; None where they cannot reach the controller so.
        scraped: ``host:port`` where a Prometheus elsewhere reads the monitor's figures; empty: none does.
        populated: a topology with the servers that are known by other means than the settings.
        watcher: hears of attempts when everything of all gateways has come.
        loops: what else must run.
    """

    admin: Gateways
    discovery: str
    began: float
    revisions: Mapping[str, str]
    log: str
    fleet: Callable[[Callable[[], Topology]], Fleet]
    client: httpx.AsyncClient
    loading_seconds: float = LOADING_SECONDS
    copies: Path | None = None
    scraped: str = ""
    handlers: tuple[Any, ...] = ()
    populated: Callable[[Topology], Topology] = field(default=lambda topology: topology)
    watcher: Callable[[Watcher], Watcher] = field(default=lambda watcher: watcher)
    loops: Callable[[Traffic], Mapping[str, Coroutine[None, None, None]]] = field(default=lambda _: {})


@asynccontextmanager
async def this_machine(settings: Settings, folder: RunFolder) -> AsyncIterator[Site]:
    """The place of one ``podium up``: one gateway, and sockets in ``folder``."""
    folder.discovery_socket.unlink(missing_ok=True)  # of a controller that was killed
    restarts = RestartsFile(folder.restarts)
    async with EnvoyAdmin(folder.admin_socket) as admin, own_ports_client(PROBE_SECONDS) as client:
        yield Site(
            admin=admin,
            discovery=str(folder.discovery_socket),
            began=folder.began,
            revisions=usual_revisions(folder, settings),
            log=str(folder.attempts_log),
            fleet=lambda topology: EnvoyFleet(admin, client, topology, restarts),
            client=client,
            copies=folder.copies_socket,
        )
