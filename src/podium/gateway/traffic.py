"""Moving traffic: a change of weights is one push of routes, and is done when the gateway has confirmed it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

import structlog

from podium.config.gateway import check_weights
from podium.core.errors import InvalidRequest
from podium.gateway.certificate import Certificate
from podium.gateway.snapshot import snapshot_of
from podium.gateway.topology import Endpoint, Topology, per_cent
from podium.gateway.weights_file import WeightsFile
from podium.gateway.xds import DiscoveryServer

log = structlog.get_logger(__name__)


class Traffic:
    """The split between environments. ``topology`` is what the gateway was last told, or began with."""

    def __init__(self, topology: Topology, discovery: DiscoveryServer, kept: WeightsFile) -> None:
        self._discovery = discovery
        self._kept = kept
        self._changing = asyncio.Lock()
        self.topology = topology

    @property
    def weights(self) -> dict[str, float]:
        """The present shares, in per cent, for every environment."""
        return per_cent(self.topology.weights)

    async def set_weights(self, weights: Mapping[str, float]) -> None:
        """Split traffic by ``weights`` (per cent, together 100; what is left out gets none), from when this returns.

        Streams that run go on where they are. Raises ``InvalidRequest`` for weights that cannot be, and what
        ``DiscoveryServer.push`` raises; then nothing has changed. One change at a time.
        """
        try:
            check_weights(dict(weights), self.topology.names)
        except ValueError as error:
            raise InvalidRequest(f"{error}.", param="weights") from error
        async with self._changing:
            await self._tell(self.topology.with_weights(weights))
        log.info("weights set", **self.weights)

    async def set_units(self, weights: Mapping[str, int]) -> None:
        """As ``set_weights``, in units of which ``TOTAL_WEIGHT`` are all; environments that are left out get none.

        Where the gateway runs with these weights already, it has only to be there.
        """
        async with self._changing:
            units = {name: weights.get(name, 0) for name in self.topology.names}
            await self._tell(replace(self.topology, weights=units))

    async def set_stable(self, environment: str) -> None:
        """From now on ``environment`` takes over what others fail. Shares stay, and so does everybody's environment.

        The shield of before is kept until no route leads to it. Raises what ``DiscoveryServer.push`` raises; done
        again, it goes on where it was. Weights of all environments and their order are the same, so no user moves.
        """
        async with self._changing:
            before = self.topology
            if before.stable != environment:
                await self._tell(replace(before, stable=environment, former=before.stable))
            if self.topology.former:
                await self._tell(replace(self.topology, former=""))
                log.info("stable", environment=environment)

    async def set_draining(self, environment: str) -> None:
        """From now on the servers of ``environment`` get no new request, not even by header; empty: all get theirs.

        Streams that run go on. Of servers that are addressed by name this is not told: their cluster would begin anew.
        Raises what ``DiscoveryServer.push`` raises.
        """
        async with self._changing:
            if self.topology.draining != environment:
                await self._tell(replace(self.topology, draining=environment))

    async def set_copied(self, units: int) -> None:
        """Copy so many of 10,000 requests from now on. Raises what ``DiscoveryServer.push`` raises."""
        async with self._changing:
            if self.topology.copied != units:
                await self._tell(replace(self.topology, copied=units))

    async def set_certificate(self, certificate: Certificate) -> None:
        """Show ``certificate`` to clients that connect from now on. Raises what ``DiscoveryServer.push`` raises."""
        async with self._changing:
            await self._tell(replace(self.topology, certificate=certificate))

    async def set_servers(self, servers: Mapping[str, tuple[Endpoint, ...]]) -> None:
        """From now on these are the servers of the environments that are named; see ``DiscoveryServer.renew``."""
        async with self._changing:
            changed = self.topology.with_servers(servers)
            if changed != self.topology:
                self.topology = changed
                await self._discovery.renew(snapshot_of(changed))

    async def _tell(self, changed: Topology) -> None:
        await self._discovery.push(snapshot_of(changed))
        self.topology = changed
        try:
            self._kept.write(changed.weights)
        except OSError as error:  # it is so all the same
            log.error("the weights are not kept for the next controller", reason=error.strerror)  # noqa: TRY400 - told
