"""Network policies: nothing by default, what is needed by name, and never the machine's metadata."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Item, Workload, entries, words

_METADATA = {4: ipaddress.ip_address("169.254.169.254"), 6: ipaddress.ip_address("fd00:ec2::254")}
_ADMIN_NAMES = {"admin", "metrics"}
_DNS_PORTS = {"53", "dns", "dns-tcp"}


def _directions(policy: Item) -> set[str]:
    given = policy.at("spec", "policyTypes")
    if isinstance(given, list):
        return {str(direction) for direction in given}
    return {"Ingress", *(["Egress"] if policy.at("spec", "egress") is not None else [])}


def policies(graph: Graph, workload: Workload, direction: str) -> list[Item]:
    """The policies for what comes to its pods (`Ingress`) or goes from them (`Egress`)."""
    return [
        policy
        for policy in graph.of("NetworkPolicy")
        if policy.namespace == workload.item.namespace
        and direction in _directions(policy)
        and workload in graph.selected(policy.mapping("spec", "podSelector"), policy.namespace)
    ]


def _no_default(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        open_ways = [way for way in ("Ingress", "Egress") if not policies(graph, workload, way)]
        if open_ways:
            yield (
                workload.item,
                f"{workload.path}.metadata.labels",
                f"no policy for {' and '.join(open_ways)} of its pods",
            )


def _everything(graph: Graph) -> Iterator[Place]:
    for policy in graph.of("NetworkPolicy"):
        for direction, peers in (("ingress", "from"), ("egress", "to")):
            for number, rule in enumerate(policy.entries("spec", direction)):
                if not rule.get(peers) and not rule.get("ports"):
                    yield policy, f"spec.{direction}[{number}]", "an empty rule allows everything"


def _no_names(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        rules = [rule for policy in policies(graph, workload, "Egress") for rule in policy.entries("spec", "egress")]
        if not rules:
            continue  # it calls nobody, or everybody
        allowed = {str(port.get("protocol", "TCP")) for rule in rules for port in _dns_ports(rule)}
        missing = [protocol for protocol in ("UDP", "TCP") if protocol not in allowed]
        if missing:
            yield workload.item, f"{workload.path}.metadata.labels", f"may not ask DNS over {' and '.join(missing)}"


def _dns_ports(rule: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    ports = entries(rule.get("ports"))
    if not ports:
        return [{"protocol": "UDP"}, {"protocol": "TCP"}]
    return [port for port in ports if str(port.get("port")) in _DNS_PORTS]


def _metadata(graph: Graph) -> Iterator[Place]:
    for policy in graph.of("NetworkPolicy"):
        for number, rule in enumerate(policy.entries("spec", "egress")):
            for peer in entries(rule.get("to")):
                block = peer.get("ipBlock")
                if isinstance(block, Mapping) and _reaches_metadata(block):
                    yield policy, f"spec.egress[{number}].to", f"{block.get('cidr')} holds the metadata address"


def _reaches_metadata(block: Mapping[str, Any]) -> bool:
    try:
        network = ipaddress.ip_network(str(block.get("cidr")), strict=False)
        excluded = [ipaddress.ip_network(str(text), strict=False) for text in words(block.get("except"))]
    except ValueError:
        return False
    address = _METADATA[network.version]
    return address in network and not any(address in each for each in excluded if each.version == network.version)


def _exposed(graph: Graph) -> Iterator[Place]:
    for service in graph.of("Service"):
        kind = service.at("spec", "type")
        if str(kind) in {"LoadBalancer", "NodePort"}:
            yield service, "spec.type", f"{kind} leads to the pods past the gateway"


def _admin(graph: Graph) -> Iterator[Place]:
    for service in graph.of("Service"):
        for number, port in enumerate(service.entries("spec", "ports")):
            if _ADMIN_NAMES & {str(port.get("name")), str(port.get("targetPort"))}:
                yield (
                    service,
                    f"spec.ports[{number}]",
                    f"leads to the port {port.get('targetPort') or port.get('name')}",
                )


def _needed(graph: Graph) -> Iterator[Place]:
    """A Service says that its port is needed by somebody."""
    for workload in graph.served:
        ports = {
            str(port.get("targetPort", port.get("port")))
            for s in graph.services_of(workload)
            for port in s.entries("spec", "ports")
        }
        rules = [rule for policy in policies(graph, workload, "Ingress") for rule in policy.entries("spec", "ingress")]
        if not policies(graph, workload, "Ingress"):
            continue
        for port in sorted(map(str, ports)):
            if not any(_admits(rule, port, workload) for rule in rules):
                yield workload.item, f"{workload.path}.metadata.labels", f"no policy lets anybody reach its port {port}"


def _admits(rule: Mapping[str, Any], port: str, workload: Workload) -> bool:
    numbers = {str(number): name for container in workload.serving for name, number in container.ports.items()}
    allowed = {str(entry.get("port")) for entry in entries(rule.get("ports"))}
    return (
        not allowed or port in allowed or numbers.get(port) in allowed or any(numbers.get(a) == port for a in allowed)
    )


RULES = (
    Rule(
        "network-open", "error",
        "Pods that no policy selects may call, and be called by, everything in the cluster.",
        "Add a policy for both directions that selects every pod of the namespace and allows nothing.",
        _no_default,
    ),
    Rule(
        "network-everything", "error",
        "One empty rule undoes every other policy for these pods.",
        "Name the peers and the ports.",
        _everything,
    ),
    Rule(
        "network-dns", "error",
        "Names do not resolve, or long answers over TCP do not: Redis is then away at random.",
        "Allow port 53 over UDP and TCP to the cluster's DNS.",
        _no_names,
    ),
    Rule(
        "network-metadata", "error",
        "The metadata address hands out the node's credentials to whoever can make a server fetch an address.",
        "Except 169.254.169.254/32 (and fd00:ec2::254/128) from the block.",
        _metadata,
    ),
    Rule(
        "network-exposed", "warning",
        "It goes around the gateway: no weights, no TLS, no host names.",
        "Use ClusterIP, and a route.",
        _exposed,
    ),
    Rule(
        "network-admin", "error",
        "Probes and metrics are not for clients: they tell model names and load.",
        "Leave the admin port out of Services; probes and a PodMonitor reach it by themselves.",
        _admin,
    ),
    Rule(
        "network-unreachable", "error",
        "The Service has healthy pods, and no packet arrives.",
        "Allow the port from the gateway's namespace, or from the pods that need it.",
        _needed,
    ),
)  # fmt: skip
