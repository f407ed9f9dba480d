"""An Envoy that is fed by a discovery server of the test's own: no supervisor, no controller."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from podium.config.gateway import Gateway
from podium.controller.run_folder import RunFolder
from podium.gateway.admin import EnvoyAdmin
from podium.gateway.binary import envoy_binary
from podium.gateway.snapshot import snapshot_of
from podium.gateway.topology import Topology
from podium.gateway.xds import DiscoveryServer
from podium.supervisor.envoy import envoy_command
from podium.supervisor.process import ChildProcess
from support.deadline import soon
from support.ports import free_port
from support.topologies import Servers, topology


@dataclass
class Fed:
    """An Envoy that has confirmed its configuration, and who feeds it."""

    topology: Topology
    discovery: DiscoveryServer
    admin: EnvoyAdmin
    envoy: ChildProcess
    said: list[str]
    folder: RunFolder

    async def route_version(self) -> int:
        """How many route configurations Envoy has taken."""
        counters = await self.admin.counters("rds.traffic.update_success")
        return sum(counters.values())


@asynccontextmanager
async def fed(
    *, ack_seconds: float = 10.0, servers: Servers | None = None, access_log: str = "off"
) -> AsyncIterator[Fed]:
    """Given when it has confirmed what it was told; ended afterwards."""
    with tempfile.TemporaryDirectory(prefix="podium-") as name:
        folder = RunFolder(Path(name))
        wanted = replace(
            topology(port=free_port(), log=str(folder.attempts_log), servers=servers), access_log=access_log
        )
        said: list[str] = []
        envoy = ChildProcess(envoy_command(await envoy_binary(None), folder, Gateway(envoy_threads=1)), said.append)
        async with (
            DiscoveryServer(str(folder.discovery_socket), snapshot_of(wanted), ack_seconds=ack_seconds) as discovery,
            EnvoyAdmin(folder.admin_socket) as admin,
        ):
            await envoy.start()
            reading = asyncio.get_running_loop().create_task(envoy.wait(), name="envoy")
            try:
                await soon("envoy has confirmed", lambda: discovery.confirmed, seconds=30)
                yield Fed(wanted, discovery, admin, envoy, said, folder)
            finally:
                await envoy.stop(5.0)
                await reading
