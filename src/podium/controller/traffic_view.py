"""Traffic as the control routes show it: wanted weights, health from Envoy, outcomes from its log."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import httpx

from podium.core.errors import Conflict
from podium.gateway.admin import Gateways
from podium.gateway.attempts import AttemptCounts, AttemptsLog
from podium.gateway.topology import Environment
from podium.gateway.traffic import Traffic
from podium.gateway.xds import DiscoveryServer
from podium.protocols.control import EndpointBody, EnvironmentBody, TrafficAnswer


class TrafficView:
    """``TrafficControl`` of ``podium.api.control.control``. ``taken``: why weights cannot be set by hand, or None."""

    def __init__(
        self,
        traffic: Traffic,
        discovery: DiscoveryServer,
        *,
        admin: Gateways,
        attempts: AttemptsLog,
        taken: Callable[[], str | None],
    ) -> None:
        self._traffic = traffic
        self._discovery = discovery
        self._admin = admin
        self._attempts = attempts
        self._taken = taken

    @property
    def confirmed(self) -> bool:
        """Whether a gateway is connected and has confirmed what it was told."""
        return self._discovery.confirmed

    async def set_weights(self, weights: Mapping[str, float]) -> None:
        """See ``Traffic.set_weights``. Raises ``Conflict`` while a rollout moves traffic."""
        if (reason := self._taken()) is not None:
            raise Conflict(reason)
        await self._traffic.set_weights(weights)

    async def show(self) -> TrafficAnswer:
        """What is wanted, confirmed and seen, at this moment."""
        topology, weights = self._traffic.topology, self._traffic.weights
        health, running = await self._health(), await self._running()
        return TrafficAnswer(
            stable=topology.stable,
            weights=weights,
            confirmed=self.confirmed,
            gateways=self._discovery.connected,
            version=self._discovery.snapshot.version,
            environments={
                environment.name: EnvironmentBody(
                    weight=weights[environment.name],
                    endpoints=_endpoints(environment, health.get(environment.name, {})),
                    running=running.get(f"cluster.{environment.name}.upstream_rq_active"),
                    **self._counts(environment.name),
                )
                for environment in topology.environments
            },
        )

    def _counts(self, environment: str) -> dict[str, int]:
        counts = self._attempts.counts.get(environment, AttemptCounts())
        return {"attempts": counts.attempts, "first_attempts": counts.first, "failed_attempts": counts.failed}

    async def _running(self) -> dict[str, int]:
        try:
            return await self._admin.counters(r"^cluster[.].*[.]upstream_rq_active$")
        except httpx.HTTPError:
            return {}

    async def _health(self) -> dict[str, dict[str, bool]]:
        try:
            return await self._admin.healthy_endpoints()
        except httpx.HTTPError:
            return {}


def _endpoints(environment: Environment, health: Mapping[str, bool]) -> list[EndpointBody]:
    """The servers as they were given; a name that was looked up shows as the addresses behind it."""
    if any(not endpoint.is_ip for endpoint in environment.endpoints) and health:
        return [EndpointBody(address=address, healthy=healthy) for address, healthy in sorted(health.items())]
    addresses = [f"{endpoint.host}:{endpoint.port}" for endpoint in environment.endpoints]
    return [EndpointBody(address=address, healthy=health.get(address)) for address in addresses]
