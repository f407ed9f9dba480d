"""The servers as Envoy sees them: ``Fleet`` of ``podium.rollout.ports``."""

from __future__ import annotations

from collections.abc import Callable

import httpx

from podium.controller.restarts_file import RestartsFile
from podium.gateway.admin import Gateways
from podium.gateway.route import PIN_HEADER
from podium.gateway.topology import Topology
from podium.rollout.ports import Readiness


class EnvoyFleet:
    """Asks Envoy's admin interface, and requests through its listener. ``topology`` gives the present one."""

    def __init__(
        self, admin: Gateways, client: httpx.AsyncClient, topology: Callable[[], Topology], restarts: RestartsFile
    ) -> None:
        self._admin = admin
        self._client = client
        self._topology = topology
        self._restarts = restarts

    async def readiness(self, environment: str) -> Readiness | None:
        """See ``Fleet``."""
        try:
            states = (await self._admin.server_states()).get(environment)
        except httpx.HTTPError:
            return None
        if states is None or None in states.values():
            return None
        return Readiness(sum(bool(ready) for ready in states.values()), len(states))

    async def answers(self, environment: str) -> bool:
        """See ``Fleet``."""
        topology = self._topology()
        path = next(each.health_path for each in topology.environments if each.name == environment)
        try:
            answer = await self._client.get(listener_url(topology) + path, headers={PIN_HEADER: environment})
        except httpx.HTTPError:
            return False
        return answer.is_success

    def restarts(self, environment: str, *, since: float) -> int:
        """See ``Fleet``."""
        return self._restarts.count(environment, since=since)

    async def active(self, environment: str) -> int | None:
        """See ``Fleet``."""
        name = f"cluster.{environment}.upstream_rq_active"
        try:
            return (await self._admin.counters(f"^{name.replace('.', '[.]')}$")).get(name)
        except httpx.HTTPError:
            return None


def listener_url(topology: Topology) -> str:
    """Where this machine reaches the gateway, without a path."""
    scheme, host = "https" if topology.has_tls else "http", _reachable(topology.listen.host)
    return f"{scheme}://{host}:{topology.listen.port}"


def _reachable(host: str) -> str:
    """An address of this machine for one that means all of them."""
    every = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - what is listened on, not listening
    found = every.get(host, host)
    return f"[{found}]" if ":" in found else found
