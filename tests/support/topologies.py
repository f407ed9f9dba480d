"""Topologies for tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from podium.gateway.topology import Endpoint, Environment, Limits, Topology, units

Servers = Mapping[str, int | Sequence[int]]
"""Ports of the servers by environment."""

LIMITS = Limits(first_byte_seconds=0.0, idle_seconds=300.0, max_requests=4096, body_bytes=1024 * 1024)


def topology(
    weights: Mapping[str, float] | None = None,
    *,
    port: int = 18080,
    log: str = "/dev/null",
    servers: Servers | None = None,
) -> Topology:
    """Blue (stable) and green, each with one server, unless ``servers`` says otherwise."""
    ports: Servers = servers or {"blue": 18101, "green": 18201}
    environments = tuple(
        Environment(name, tuple(Endpoint("127.0.0.1", port) for port in _several(given)), "/readyz")
        for name, given in ports.items()
    )
    return Topology(
        listen=Endpoint("127.0.0.1", port),
        environments=environments,
        stable="blue",
        weights=units(weights or {"blue": 100.0}, tuple(ports)),
        limits=LIMITS,
        health_host="localhost",
        attempts_log=log,
    )


def _several(ports: int | Sequence[int]) -> Sequence[int]:
    return (ports,) if isinstance(ports, int) else ports
