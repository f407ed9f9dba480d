"""A mesh: its proxy lives as long as the server, its ports are open, and no job waits for it."""

from __future__ import annotations

from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Workload, entries
from podium.deploy.lint.rules.network import policies
from podium.deploy.quantity import parse_duration

_INJECT = "linkerd.io/inject"
_NATIVE = ("config.beta.linkerd.io/proxy-enable-native-sidecar", "config.alpha.linkerd.io/proxy-enable-native-sidecar")
_WAIT = "config.alpha.linkerd.io/proxy-wait-before-exit-seconds"
_GRACE = "config.linkerd.io/shutdown-grace-period"
_DEFAULT_GRACE = "120s"
_INBOUND = 4143
_CONTROL = (8080, 8086, 8090)


def proxy_ports(workload: Workload) -> list[int]:
    """Ports that a mesh's proxy opens in these pods."""
    return [_INBOUND] if _is_injected(workload) else []


def _is_injected(workload: Workload) -> bool:
    return str(workload.annotations.get(_INJECT)) in {"enabled", "ingress"}


def _is_native(workload: Workload) -> bool:
    return any(str(workload.annotations.get(name)) == "true" for name in _NATIVE)


def _drain(graph: Graph) -> Iterator[Place]:
    for workload in (each for each in graph.served if _is_injected(each)):
        path, longest = f"{workload.path}.metadata.annotations", graph.longest_stream_seconds(workload)
        said = workload.annotations.get(_GRACE, _DEFAULT_GRACE)
        grace = parse_duration(said)
        if not _is_native(workload) and not workload.annotations.get(_WAIT):
            yield workload.item, path, "the proxy is told to end when the server is, and takes no new connection then"
        if _is_native(workload) and workload.annotations.get(_WAIT):
            yield workload.item, path, f"{_WAIT} beside a native sidecar, which waits by itself"
        if grace is None or grace < longest:
            yield workload.item, path, f"the proxy cuts connections after {said}, and streams last {longest:g} s"


def _network(graph: Graph) -> Iterator[Place]:
    for workload in (each for each in graph.workloads if _is_injected(each)):
        path = f"{workload.path}.metadata.labels"
        come, go = (_ports(graph, workload, way) for way in ("Ingress", "Egress"))
        if come is not None and _INBOUND not in come:
            yield workload.item, path, f"no policy lets other proxies reach port {_INBOUND}"
        missing = [port for port in _CONTROL if go is not None and port not in go]
        if missing:
            text = f"no policy lets the proxy reach its control plane ({', '.join(map(str, missing))})"
            yield workload.item, path, text


def _ports(graph: Graph, workload: Workload, way: str) -> list[object] | None:
    """Ports that policies open one way; None where all are."""
    found = policies(graph, workload, way)
    rules = [rule for policy in found for rule in policy.entries("spec", way.lower())]
    if not found or not all(entries(rule.get("ports")) for rule in rules):
        return None
    return [port.get("port") for rule in rules for port in entries(rule.get("ports"))]


def _job(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        if workload.ends and _is_injected(workload) and not _is_native(workload):
            yield workload.item, f"{workload.path}.metadata.annotations", "the proxy goes on when the job is done"


RULES = (
    Rule(
        "mesh-drain", "error",
        "Streams run through the proxy: when it ends first, or stops waiting first, they are cut.",
        "Use the native sidecar, and a shutdown-grace-period of the longest stream or more.",
        _drain,
    ),
    Rule(
        "mesh-network", "error",
        "The proxy gets no certificate or nobody reaches it: pods stay unready, or every request fails.",
        "Allow 4143 beside the traffic port, and 8080, 8086 and 8090 to the mesh's namespace.",
        _network,
    ),
    Rule(
        "mesh-job", "warning",
        "A job with a proxy beside it never completes, and what waits for it waits for ever.",
        "Use the native sidecar, or leave the job out of the mesh.",
        _job,
    ),
)  # fmt: skip
