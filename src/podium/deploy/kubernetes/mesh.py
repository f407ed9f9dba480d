"""Linkerd: annotations that put its proxy beside a pod without cutting a stream or hiding a probe."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.plan import Plan

INBOUND_PORT = 4143
"""Where a proxy takes what other proxies send."""
CONTROL_PORTS = (8080, 8086, 8090)
"""Identity, destination and policy: what a proxy asks its control plane."""
_PREFIX = "config.linkerd.io"
_DISK = "64Mi"


def proxied(plan: Plan, *, direct_in: tuple[int, ...], direct_out: tuple[int, ...], grace: int) -> dict[str, str]:
    """Of a pod; empty without a mesh.

    Args:
        plan: says whether there is a mesh, and what its proxies get.
        direct_in: ports that are reached past the proxy: probes and metrics, whose callers are outside the mesh.
        direct_out: ports that are called past it: Redis and the API server.
        grace: seconds for which the proxy lets connections finish; no less than the pod's own.
    """
    mesh = plan.settings.deploy.mesh
    if mesh.kind == "none":
        return {}
    found = {
        "linkerd.io/inject": "enabled",
        # A native sidecar starts before the server and ends after it, so that a drain keeps its connections.
        "config.beta.linkerd.io/proxy-enable-native-sidecar": "true",
        f"{_PREFIX}/proxy-await": "enabled",
        f"{_PREFIX}/shutdown-grace-period": f"{grace}s",
        f"{_PREFIX}/skip-inbound-ports": _listed(direct_in),
        f"{_PREFIX}/skip-outbound-ports": _listed(direct_out),
    }
    amounts = {"cpu": mesh.proxy_cpu, "memory": mesh.proxy_memory, "ephemeral-storage": _DISK}
    for name, amount in amounts.items():
        found |= {f"{_PREFIX}/proxy-{name}-{side}": amount for side in ("request", "limit")}
    return {name: value for name, value in found.items() if value}


def egress(plan: Plan) -> list[dict[str, Any]]:
    """What a proxy itself must reach; nothing without a mesh."""
    mesh = plan.settings.deploy.mesh
    if mesh.kind == "none":
        return []
    where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": mesh.control_namespace}}}
    return [{"to": [where], "ports": [{"protocol": "TCP", "port": port} for port in CONTROL_PORTS]}]


def inbound(plan: Plan) -> list[dict[str, Any]]:
    """The port that is open beside each one that proxies lead to."""
    return [] if plan.settings.deploy.mesh.kind == "none" else [{"protocol": "TCP", "port": INBOUND_PORT}]


def of_server(plan: Plan) -> dict[str, str]:
    """Annotations of a server's pod."""
    return proxied(
        plan,
        direct_in=(plan.settings.server.admin_port,),
        direct_out=(places.REDIS_PORT,) if plan.own_redis else (),
        grace=plan.timings.grace_seconds,
    )


def of_gateway(plan: Plan, grace: int) -> dict[str, str]:
    """Annotations of a gateway's pod, which speaks to its controller past the proxy: that has none."""
    given = plan.settings.deploy.gateway
    return proxied(plan, direct_in=(given.status_port,), direct_out=(given.discovery_port,), grace=grace)


def _listed(ports: tuple[int, ...]) -> str:
    return ",".join(str(port) for port in ports)
