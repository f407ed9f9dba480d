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
from podium.gateway.topology import Topology, per_cent, units
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
            changed = self.topology.with_weights(weights)
            await self._discovery.push(snapshot_of(changed))
            self._kept.write(units(weights, self.topology.names))
            self.topology = changed
        log.info("weights set", **self.weights)

    async def set_certificate(self, certificate: Certificate) -> None:
        """Show ``certificate`` to clients that connect from now on. Raises what ``DiscoveryServer.push`` raises."""
        async with self._changing:
            changed = replace(self.topology, certificate=certificate)
            await self._discovery.push(snapshot_of(changed))
            self.topology = changed
