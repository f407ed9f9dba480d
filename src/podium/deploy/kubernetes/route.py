"""The HTTPRoute of the Gateway API. Only its weights ever change, so that streams stay where they are."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.gateway_settings import listen_port
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

ARM_HEADER = "x-podium-arm"
"""As in the gateway of `podium up`: reaches an environment whatever its weight."""
_NO_LIMIT = {"request": "0s"}  # what is not set is up to the implementation; Envoy's default cuts streams after 15 s


def routes(plan: Plan) -> list[Manifest]:
    """One route for all environments."""
    given = plan.settings.deploy.route
    if given.kind != "gateway-api":
        return []
    spec: dict[str, Any] = {"parentRefs": [plan.route_gateway]}
    if given.host_names:
        spec["hostnames"] = list(given.host_names)
    if plan.own_gateways:  # which split traffic themselves
        gateways = {"name": places.APPLICATION, "port": listen_port(plan.settings), "weight": 1}
        split, pinned = {"backendRefs": [gateways]}, []
    else:
        split = {"backendRefs": [{**_backend(plan, each), "weight": each.weight} for each in plan.environments]}
        pinned = [_pinned(plan, each) for each in plan.pinned]
    spec["rules"] = [*pinned, {"timeouts": _NO_LIMIT, **split}]
    return [manifest("gateway.networking.k8s.io/v1", "HTTPRoute", places.APPLICATION, plan.namespace, spec=spec)]


def _pinned(plan: Plan, environment: PlannedEnvironment) -> dict[str, Any]:
    header = {"type": "Exact", "name": ARM_HEADER, "value": environment.name}
    return {
        "matches": [{"headers": [header]}],
        "timeouts": _NO_LIMIT,
        "backendRefs": [{**_backend(plan, environment), "weight": 1}],
    }


def _backend(plan: Plan, environment: PlannedEnvironment) -> dict[str, Any]:
    return {"name": places.server_name(environment.name), "port": plan.settings.server.port}
