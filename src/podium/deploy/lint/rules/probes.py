"""Probes: each is there, each means something else, and each reaches a port that exists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Container, Graph, Workload, at, mapping, number

KINDS = ("startupProbe", "livenessProbe", "readinessProbe")
_SHORTEST_TIMEOUT_SECONDS = 2
_DEFAULT_PERIOD_SECONDS = 10
_DEFAULT_FAILURES = 3


def budget_seconds(probe: Mapping[str, Any]) -> float:
    """How long a probe may fail before it acts."""
    period = number(probe.get("periodSeconds"), _DEFAULT_PERIOD_SECONDS)
    return period * number(probe.get("failureThreshold"), _DEFAULT_FAILURES)


def _probed(graph: Graph) -> Iterator[tuple[Workload, Container, str, Mapping[str, Any]]]:
    for workload in graph.workloads:
        for container in workload.serving:
            for kind in KINDS:
                probe = container.value.get(kind)
                if isinstance(probe, Mapping):
                    yield workload, container, kind, probe


def _missing(graph: Graph) -> Iterator[Place]:
    for workload in graph.served:
        for container in workload.serving:
            absent = [kind for kind in KINDS if kind not in container.value]
            if absent and container.ports:
                yield workload.item, container.path, f"no {', no '.join(absent)}"


def _same(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.serving:
            live, ready = (mapping(at(container.value, kind, "httpGet")) for kind in KINDS[1:])
            if live and ready and _endpoint(live) == _endpoint(ready):
                yield (
                    workload.item,
                    f"{container.path}.readinessProbe",
                    f"asks {live.get('path')}, as livenessProbe does",
                )


def _endpoint(get: Mapping[str, Any]) -> tuple[object, object]:
    return get.get("path"), get.get("port")


def _undeclared(graph: Graph) -> Iterator[Place]:
    for workload, container, kind, probe in _probed(graph):
        for way in ("httpGet", "tcpSocket", "grpc"):
            port = at(probe, way, "port")
            if port is not None and not container.declares(port):
                yield workload.item, f"{container.path}.{kind}.{way}.port", f"port {port} is not declared"


def _hasty(graph: Graph) -> Iterator[Place]:
    for workload, container, kind, probe in _probed(graph):
        if kind == "livenessProbe" and number(probe.get("timeoutSeconds"), 1) < _SHORTEST_TIMEOUT_SECONDS:
            yield workload.item, f"{container.path}.{kind}.timeoutSeconds", "waits 1 s for an answer"


def _once(graph: Graph) -> Iterator[Place]:
    for workload, container, kind, probe in _probed(graph):
        if kind == "livenessProbe" and number(probe.get("failureThreshold"), _DEFAULT_FAILURES) < 2:
            yield workload.item, f"{container.path}.{kind}.failureThreshold", "restarts at the first missed probe"


RULES = (
    Rule(
        "probe-missing", "error",
        "Loading a model takes minutes: without a startup probe it is killed on the way, without the others a dead or "
        "unready pod gets traffic.",
        "Give every container behind a Service a startupProbe, a livenessProbe and a readinessProbe.",
        _missing,
    ),
    Rule(
        "probe-same-endpoint", "error",
        "A full queue makes a pod unready; asked as liveness too, it restarts a pod that is only busy.",
        "Ask /livez for liveness and /readyz for readiness.",
        _same,
    ),
    Rule(
        "probe-port", "error",
        "A probe of a port that nothing listens on fails for ever, and the pod is never ready.",
        "Name a port that the container declares.",
        _undeclared,
    ),
    Rule(
        "probe-timeout", "warning",
        "Generating uses every core, and an answer may take longer than the default of one second.",
        "Set timeoutSeconds of the livenessProbe to 2 or more.",
        _hasty,
    ),
    Rule(
        "probe-threshold", "warning",
        "One late answer under load would restart the pod and lose its model.",
        "Set failureThreshold of the livenessProbe to 2 or more.",
        _once,
    ),
)  # fmt: skip
