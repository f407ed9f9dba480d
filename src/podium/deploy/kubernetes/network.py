"""NetworkPolicies: nothing is allowed but what is listed. Inert without a network plugin that enforces them."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes import mesh
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.losses import Way
from podium.deploy.plan import Plan

_BOTH = ["Ingress", "Egress"]
_METADATA = {"4": "169.254.169.254/32", "6": "fd00:ec2::254/128"}  # of cloud machines: it hands out credentials
_PRIVATE = ["10.0.0.0/8", "100.64.0.0/10", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"]
_ASKERS: dict[Way, str] = {"argo": "argo-rollouts", "flagger": "flagger-system"}
"""Where the projects' own instructions install them."""

_HUB = {
    "to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": _PRIVATE}}],
    "ports": [{"protocol": "TCP", "port": 443}],
}
"""HTTPS to public addresses: a policy knows no names."""


def default_deny(plan: Plan) -> Manifest:
    """For every pod of the namespace, both ways."""
    return _policy(plan, "default-deny", {}, policyTypes=_BOTH)


def network_policies(plan: Plan) -> list[Manifest]:
    """For the pods that stay."""
    found = [_servers(plan), *([_groups(plan)] if plan.nodes > 1 else [])]
    if plan.own_gateways:
        found += [_gateways(plan), _controller(plan)]
    if plan.own_redis:
        users = [_pods("server"), *([_pods("controller")] if plan.own_gateways else [])]
        ingress = [{"from": users, "ports": [_tcp("redis")]}]
        found.append(_policy(plan, places.REDIS, places.labels("redis"), policyTypes=_BOTH, ingress=ingress))
    return found


def download_policy(plan: Plan) -> Manifest:
    """For the download job alone: names, and HTTPS to public addresses."""
    egress = [_dns(plan), _HUB]
    return _policy(plan, places.WEIGHTS, places.labels("weights"), policyTypes=_BOTH, egress=egress)


def _servers(plan: Plan) -> Manifest:
    network = plan.settings.deploy.network
    senders = [_pods("gateway")] if plan.own_gateways else _clients(plan)
    ingress = [{"from": senders, "ports": [_tcp(places.TRAFFIC_PORT), *mesh.inbound(plan)]}]
    if plan.monitored:
        ingress.append({"from": [_namespace(network.monitoring_namespace)], "ports": [_tcp(places.ADMIN_PORT)]})
    egress = [_dns(plan), *mesh.egress(plan), *([_HUB] if plan.fetches_by_pod else [])]
    if plan.own_redis:
        egress.append({"to": [_pods("redis")], "ports": [_tcp("redis")]})
    egress += [*_listed_egress(plan), *_to_collector(plan)]
    return _policy(plan, places.APPLICATION, places.labels("server"), policyTypes=_BOTH, ingress=ingress, egress=egress)


def _groups(plan: Plan) -> Manifest:
    """Pods of one copy reach each other on every port: the collective libraries choose theirs."""
    both = {
        "matchLabels": {"app.kubernetes.io/name": places.APPLICATION},
        "matchExpressions": [
            {"key": "app.kubernetes.io/component", "operator": "In", "values": ["server", "node"]},
        ],
    }
    each_other = [{"podSelector": both}]
    return manifest(
        "networking.k8s.io/v1",
        "NetworkPolicy",
        f"{places.APPLICATION}-group",
        plan.namespace,
        spec={
            "podSelector": both,
            "policyTypes": _BOTH,
            "ingress": [{"from": each_other}],
            "egress": [_dns(plan), {"to": each_other}],
        },
    )


def verdict_policies(plan: Plan, way: Way) -> list[Manifest]:
    """For the pod that tells the verdict, and for the servers whose metrics it reads."""
    network = plan.settings.deploy.network
    asker = network.rollout_namespace or _ASKERS[way]
    ingress = [{"from": [_namespace(asker)], "ports": [_tcp("http")]}]
    egress = [
        _dns(plan),
        {"to": [_pods("server")], "ports": [_tcp(places.ADMIN_PORT)]},
        *[{"to": [_block(given.network)], "ports": [_tcp(given.port)]} for given in network.api_server],
    ]
    labels = places.labels("verdict")
    asked = [{"from": [_pods("verdict")], "ports": [_tcp(places.ADMIN_PORT)]}]
    return [
        _policy(plan, places.VERDICT, labels, policyTypes=_BOTH, ingress=ingress, egress=egress),
        _policy(plan, f"{places.VERDICT}-metrics", places.labels("server"), policyTypes=["Ingress"], ingress=asked),
    ]


def _gateways(plan: Plan) -> Manifest:
    """Clients come in; servers and the controller are reached. Nobody gives it orders."""
    network = plan.settings.deploy.network
    askers = [_pods("controller"), *([_namespace(network.monitoring_namespace)] if plan.monitored else [])]
    ingress = [
        {
            "from": [*_clients(plan), _pods("controller")],
            "ports": [_tcp(places.TRAFFIC_PORT), *mesh.inbound(plan)],
        },
        {"from": askers, "ports": [_tcp(places.ADMIN_PORT)]},
    ]
    egress = [
        _dns(plan),
        *mesh.egress(plan),
        {"to": [_pods("server")], "ports": [_tcp(places.TRAFFIC_PORT), *mesh.inbound(plan)]},
        {"to": [_pods("controller")], "ports": [_tcp(places.DISCOVERY_PORT)]},
        *(_to_collector(plan) if plan.settings.telemetry.gateway_traces else []),
    ]
    labels = places.labels("gateway")
    return _policy(plan, places.GATEWAY, labels, policyTypes=_BOTH, ingress=ingress, egress=egress)


def _controller(plan: Plan) -> Manifest:
    """The only pods that reach the API server."""
    network = plan.settings.deploy.network
    ingress = [{"from": [_pods("gateway")], "ports": [_tcp(places.DISCOVERY_PORT)]}]
    if plan.monitored:
        ingress.append({"from": [_namespace(network.monitoring_namespace)], "ports": [_tcp(places.ADMIN_PORT)]})
    egress = [
        _dns(plan),
        {"to": [_pods("gateway")], "ports": [_tcp(places.TRAFFIC_PORT), _tcp(places.ADMIN_PORT)]},
        *[{"to": [_block(given.network)], "ports": [_tcp(given.port)]} for given in network.api_server],
        *_listed_egress(plan),
    ]
    if plan.own_redis:
        egress.append({"to": [_pods("redis")], "ports": [_tcp("redis")]})
    labels = places.labels("controller")
    return _policy(plan, places.CONTROLLER, labels, policyTypes=_BOTH, ingress=ingress, egress=egress)


def _clients(plan: Plan) -> list[dict[str, Any]]:
    """Who brings requests in."""
    network = plan.settings.deploy.network
    return [_namespace(network.gateway_namespace), *map(_block, network.client_addresses)]


def _to_collector(plan: Plan) -> list[dict[str, Any]]:
    """The way to the collector that is configured, and to nothing else."""
    if plan.collector is None:
        return []
    place = plan.collector
    to = [_namespace(place.namespace)] if place.namespace else [_block(network) for network in place.networks]
    return [{"to": to, "ports": [_tcp(place.port), *(mesh.inbound(plan) if place.namespace else [])]}]


def _pods(component: str) -> dict[str, Any]:
    return {"podSelector": {"matchLabels": places.labels(component)}}


def _block(network: str) -> dict[str, Any]:
    """A block of addresses, without the metadata address where it would hold it."""
    if network.endswith("/0"):
        return {"ipBlock": {"cidr": network, "except": [_METADATA["6" if ":" in network else "4"]]}}
    return {"ipBlock": {"cidr": network}}


def _dns(plan: Plan) -> dict[str, Any]:
    network = plan.settings.deploy.network
    ports = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    return {"to": [_namespace(network.dns_namespace), *map(_block, network.dns_addresses)], "ports": ports}


def _listed_egress(plan: Plan) -> list[dict[str, Any]]:
    """What the settings allow servers to call."""
    given = plan.settings.deploy.network.egress
    return [{"to": [_block(each.network)], "ports": [_tcp(each.port)]} for each in given]


def _namespace(name: str) -> dict[str, Any]:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def _tcp(port: str | int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}


def _policy(plan: Plan, name: str, labels: dict[str, str], **spec: Any) -> Manifest:
    selector = {"matchLabels": labels} if labels else {}
    return manifest(
        "networking.k8s.io/v1", "NetworkPolicy", name, plan.namespace, spec={"podSelector": selector, **spec}
    )
