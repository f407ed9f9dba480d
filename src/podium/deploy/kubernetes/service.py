"""Services. Their selectors never change: traffic moves by the weights of the route."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.gateway_settings import listen_port
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan


def services(plan: Plan) -> list[Manifest]:
    """One for each environment, and for what else is asked by name. Probes and metrics are in none of them."""
    found = [
        _service(
            plan,
            places.server_name(each.name),
            places.labels("server", each.name),
            places.TRAFFIC_PORT,
            plan.settings.server.port,
        )
        for each in plan.environments
    ]
    if plan.own_gateways:
        found += _of_gateways(plan)
    if plan.own_redis:
        found.append(_service(plan, places.REDIS, places.labels("redis"), "redis", places.REDIS_PORT))
    return found


def second_service(plan: Plan, environment: PlannedEnvironment, name: str) -> Manifest:
    """Another one for the same pods, of which somebody else's controller chooses some."""
    labels = places.labels("server", environment.name)
    return _service(plan, name, labels, places.TRAFFIC_PORT, plan.settings.server.port)


def _of_gateways(plan: Plan) -> list[Manifest]:
    clients = listen_port(plan.settings)
    discovery = plan.settings.deploy.gateway.discovery_port
    return [
        _service(plan, places.APPLICATION, places.labels("gateway"), places.TRAFFIC_PORT, clients),
        _service(plan, places.CONTROLLER, places.labels("controller"), places.DISCOVERY_PORT, discovery),
    ]


def _service(plan: Plan, name: str, labels: dict[str, str], port_name: str, port: int) -> Manifest:
    ports = [{"name": port_name, "port": port, "targetPort": port_name, "protocol": "TCP"}]
    spec = {"type": "ClusterIP", "selector": labels, "ports": ports}
    return manifest("v1", "Service", name, plan.namespace, labels=labels, spec=spec)
