"""Ports: one mapping from the container through the Service to the route, the policies and the monitor."""

from __future__ import annotations

from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, entries, matches
from podium.deploy.lint.rules.mesh import proxy_ports


def _service_target(graph: Graph) -> Iterator[Place]:
    for service in graph.of("Service"):
        for number, port in enumerate(service.entries("spec", "ports")):
            target = port.get("targetPort", port.get("port"))
            for workload in graph.service_targets(service):
                if not any(container.declares(target) for container in workload.serving):
                    yield service, f"spec.ports[{number}].targetPort", f"{workload.item} declares no port {target}"


def _route_backend(graph: Graph) -> Iterator[Place]:
    for route in graph.of("HTTPRoute"):
        for number, rule in enumerate(route.entries("spec", "rules")):
            for backend in entries(rule.get("backendRefs")):
                path, name = f"spec.rules[{number}].backendRefs", backend.get("name")
                service = graph.find("Service", name, str(backend.get("namespace") or route.namespace))
                if service is None:
                    yield route, path, f"no Service {name} in this set"
                elif backend.get("port") not in [port.get("port") for port in service.entries("spec", "ports")]:
                    yield route, path, f"Service {name} has no port {backend.get('port')}"


def _monitored(graph: Graph) -> Iterator[Place]:
    for monitor in graph.of("PodMonitor"):
        selected = graph.selected(monitor.mapping("spec", "selector"), monitor.namespace)
        for number, endpoint in enumerate(monitor.entries("spec", "podMetricsEndpoints")):
            port = endpoint.get("port")
            for workload in selected:
                if not any(str(port) in container.ports for container in workload.serving):
                    yield (
                        monitor,
                        f"spec.podMetricsEndpoints[{number}].port",
                        f"{workload.item} declares no port {port}",
                    )
    for monitor in graph.of("ServiceMonitor"):
        selector = monitor.mapping("spec", "selector")
        services = [each for each in graph.of("Service") if matches(selector, each.mapping("metadata", "labels"))]
        for number, endpoint in enumerate(monitor.entries("spec", "endpoints")):
            named = {str(port.get("name")) for service in services for port in service.entries("spec", "ports")}
            if services and str(endpoint.get("port")) not in named:
                yield monitor, f"spec.endpoints[{number}].port", f"no Service of it has a port {endpoint.get('port')}"


def _policy_port(graph: Graph) -> Iterator[Place]:
    for policy in graph.of("NetworkPolicy"):
        targets = graph.selected(policy.mapping("spec", "podSelector"), policy.namespace)
        for number, rule in enumerate(policy.entries("spec", "ingress")):
            for port in entries(rule.get("ports")):
                declared = [c.declares(port.get("port")) for w in targets for c in w.serving]
                if declared and not any(declared) and not any(port.get("port") in proxy_ports(w) for w in targets):
                    yield policy, f"spec.ingress[{number}].ports", f"no selected pod declares port {port.get('port')}"


RULES = (
    Rule(
        "port-service", "error",
        "The Service has endpoints and every connection to them is refused.",
        "Name a port that the pods declare in targetPort.",
        _service_target,
    ),
    Rule(
        "port-route", "error",
        "The gateway answers 500 for the share of traffic that goes there.",
        "Name a Service of the set, and a port that it has.",
        _route_backend,
    ),
    Rule(
        "port-monitor", "error",
        "Nothing is scraped and nothing says so: dashboards stay empty and scalers do not scale.",
        "Name a port that pods (for a ServiceMonitor: Services) have.",
        _monitored,
    ),
    Rule(
        "port-policy", "error",
        "The policy opens a port that nothing listens on, and the one in use stays shut.",
        "Name the port as the container does.",
        _policy_port,
    ),
)  # fmt: skip
