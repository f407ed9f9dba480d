"""Other ways in than the Gateway API: an Ingress, which leads to one Service, and a VirtualService with weights."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.gateway_settings import listen_port
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.kubernetes.route import ARM_HEADER
from podium.deploy.plan import Plan

_WHOLE = 100


def ingresses(plan: Plan) -> list[Manifest]:
    """One Ingress, without annotations: timeouts and body sizes are the controller's own settings."""
    given = plan.settings.deploy.route
    if given.kind != "ingress":
        return []
    name, port = _target(plan)
    backend = {"service": {"name": name, "port": {"number": port}}}
    http = {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}
    spec: dict[str, Any] = {
        **({"ingressClassName": given.ingress_class} if given.ingress_class else {}),
        **({"tls": [{"hosts": list(given.host_names), "secretName": given.tls_secret}]} if given.tls_secret else {}),
        "rules": [{"host": host, "http": http} for host in given.host_names] or [{"http": http}],
    }
    return [manifest("networking.k8s.io/v1", "Ingress", places.APPLICATION, plan.namespace, spec=spec)]


def virtual_services(plan: Plan) -> list[Manifest]:
    """One VirtualService. No retries: a generation that is sent twice is computed and paid twice."""
    given = plan.settings.deploy.route
    if given.kind != "istio":
        return []
    endless = {"timeout": "0s", "retries": {"attempts": 0}}
    if plan.own_gateways:
        rules = [{**endless, "route": [_destination(*_target(plan), _WHOLE)]}]
    else:
        port = plan.settings.server.port
        shares = [(places.server_name(each.name), int(each.share)) for each in plan.environments]
        pinned = [
            {
                "match": [{"headers": {ARM_HEADER: {"exact": each.name}}}],
                **endless,
                "route": [_destination(places.server_name(each.name), port, _WHOLE)],
            }
            for each in plan.pinned
        ]
        rules = [*pinned, {**endless, "route": [_destination(name, port, share) for name, share in shares]}]
    spec = {
        "hosts": list(given.host_names) or ["*"],
        "gateways": ["{namespace}/{name}".format(**plan.route_gateway)],
        "http": rules,
    }
    return [manifest("networking.istio.io/v1", "VirtualService", places.APPLICATION, plan.namespace, spec=spec)]


def _target(plan: Plan) -> tuple[str, int]:
    """Our gateways, or the only environment."""
    if plan.own_gateways:
        return places.APPLICATION, listen_port(plan.settings)
    return places.server_name(plan.environments[0].name), plan.settings.server.port


def _destination(name: str, port: int, weight: int) -> dict[str, Any]:
    return {"destination": {"host": name, "port": {"number": port}}, "weight": weight}
