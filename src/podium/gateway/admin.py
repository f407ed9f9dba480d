"""Envoy's own interface: is it live, what is active, drain."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol, Self

import httpx

from podium.gateway.listener import STAT_PREFIX

_SECONDS = 2.0
_ACTIVE = f"http.{STAT_PREFIX}.downstream_rq_active"


class Gateways(Protocol):
    """What a controller asks gateways, be it one or several. Raises ``httpx.HTTPError`` when they cannot be asked."""

    async def counters(self, pattern: str) -> dict[str, int]:
        """See ``EnvoyAdmin``; of several, the sum."""

    async def exposition(self, pattern: str) -> bytes:
        """Same."""

    async def healthy_endpoints(self) -> dict[str, dict[str, bool]]:
        """See ``EnvoyAdmin``; of several, healthy is what all of them find healthy."""

    async def server_states(self) -> dict[str, dict[str, bool | None]]:
        """Same, with None for a server that one of them has not checked."""

    async def reopen_logs(self) -> None:
        """Open the attempts log anew, after it was renamed."""


class EnvoyAdmin:
    """Calls to one Envoy: at a Unix socket, or at a URL, where it answers questions and obeys no orders.

    A context manager. Raises ``httpx.HTTPError`` when it cannot be reached.
    """

    def __init__(self, at: Path | str) -> None:
        transport = httpx.AsyncHTTPTransport(uds=str(at) if isinstance(at, Path) else None)
        base = "http://envoy" if isinstance(at, Path) else at
        self._client = httpx.AsyncClient(transport=transport, base_url=base, timeout=_SECONDS, trust_env=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.aclose()

    async def is_live(self) -> bool:
        """Whether it has its configuration and serves; False when it cannot be asked."""
        try:
            return (await self._client.get("/ready")).is_success
        except httpx.HTTPError:
            return False

    async def begin_drain(self) -> None:
        """Tell clients to go elsewhere: unready, ``connection: close``, and no new connections after the drain time."""
        (await self._client.post("/healthcheck/fail")).raise_for_status()
        (await self._client.post("/drain_listeners?graceful")).raise_for_status()

    async def active_requests(self) -> int:
        """Requests in flight at the gateway, streams included."""
        return (await self.counters(f"^{_ACTIVE.replace('.', '[.]')}$")).get(_ACTIVE, 0)

    async def counters(self, pattern: str) -> dict[str, int]:
        """Counters and gauges whose names match the regular expression ``pattern``."""
        answer = await self._client.get("/stats", params={"format": "json", "filter": pattern})
        return {
            entry["name"]: entry["value"] for entry in answer.raise_for_status().json()["stats"] if "value" in entry
        }

    async def exposition(self, pattern: str) -> bytes:
        """What it has counted, of the statistics whose names match ``pattern``, in Prometheus's text format.

        Counters that are still 0 are left out.
        """
        query = {"usedonly": "", "filter": pattern}
        return (await self._client.get("/stats/prometheus", params=query)).raise_for_status().content

    async def healthy_endpoints(self) -> dict[str, dict[str, bool]]:
        """Whether each endpoint passes its check, by cluster and ``host:port``."""
        answer = (await self._client.get("/clusters", params={"format": "json"})).raise_for_status().json()
        found: dict[str, dict[str, bool]] = {}
        for cluster in answer.get("cluster_statuses", ()):
            hosts = cluster.get("host_statuses", ())
            found[cluster["name"]] = {_address(host): _is_healthy(host) for host in hosts}
        return found

    async def server_states(self) -> dict[str, dict[str, bool | None]]:
        """As ``healthy_endpoints``, with None for a server that has not been checked since Envoy began."""
        answer = (await self._client.get("/clusters", params={"format": "json"})).raise_for_status().json()
        found: dict[str, dict[str, bool | None]] = {}
        for cluster in answer.get("cluster_statuses", ()):
            hosts = cluster.get("host_statuses", ())
            found[cluster["name"]] = {
                _address(host): None if _is_pending(host) else _is_healthy(host) for host in hosts
            }
        return found

    async def is_healthy(self, cluster: str, address: str) -> bool:
        """Whether the endpoint ``address`` (``host:port``) passes its check; False when it cannot be asked."""
        try:
            return (await self.healthy_endpoints()).get(cluster, {}).get(address, False)
        except httpx.HTTPError:
            return False

    async def reopen_logs(self) -> None:
        """Open log files anew, after one was renamed."""
        (await self._client.post("/reopen_logs")).raise_for_status()


def _address(host: dict[str, Any]) -> str:
    socket = host.get("address", {}).get("socket_address", {})
    return f"{socket.get('address', '')}:{socket.get('port_value', 0)}"


def _is_pending(host: dict[str, Any]) -> bool:
    return bool(host.get("health_status", {}).get("pending_active_hc"))


def _is_healthy(host: dict[str, Any]) -> bool:
    status = dict(host.get("health_status", {}))
    return status.get("eds_health_status") == "HEALTHY" and len(status) == 1
