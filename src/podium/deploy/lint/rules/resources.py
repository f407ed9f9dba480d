"""Resources: what a pod asks for, what it may take, and how both relate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Container, Graph, Workload, at, entries, number
from podium.deploy.quantity import parse_quantity

_NEEDED = ("cpu", "memory", "ephemeral-storage")
_DISK = "ephemeral-storage"


def _amounts(container: Container, side: str) -> dict[str, Any]:
    found = at(container.value, "resources", side)
    return dict(found) if isinstance(found, Mapping) else {}


def _each(graph: Graph) -> Iterator[tuple[Workload, Container, str, dict[str, Any], dict[str, Any]]]:
    for workload in graph.workloads:
        for container in workload.containers:
            requests, limits = _amounts(container, "requests"), _amounts(container, "limits")
            yield workload, container, f"{container.path}.resources", requests, limits


def _missing(graph: Graph) -> Iterator[Place]:
    for workload, _, path, requests, limits in _each(graph):
        for side, amounts in (("requests", requests), ("limits", limits)):
            absent = [name for name in _NEEDED if name not in amounts]
            if absent:
                yield workload.item, f"{path}.{side}", f"no {', '.join(absent)}"


def _memory(graph: Graph) -> Iterator[Place]:
    for workload, _, path, requests, limits in _each(graph):
        pair = parse_quantity(requests.get("memory")), parse_quantity(limits.get("memory"))
        if None not in pair and pair[0] != pair[1]:
            yield workload.item, f"{path}.requests.memory", f"{requests['memory']} is not the limit {limits['memory']}"


def _extended(graph: Graph) -> Iterator[Place]:
    for workload, _, path, requests, limits in _each(graph):
        names = {name for name in (*requests, *limits) if "/" in name}
        for name in sorted(names):
            if parse_quantity(requests.get(name, limits.get(name))) != parse_quantity(limits.get(name)):
                yield workload.item, f"{path}.limits", f"{name}: request {requests.get(name)}, limit {limits.get(name)}"


def _unreadable(graph: Graph) -> Iterator[Place]:
    for workload, _, path, requests, limits in _each(graph):
        for side, amounts in (("requests", requests), ("limits", limits)):
            for name, value in amounts.items():
                if parse_quantity(value) is None:
                    yield workload.item, f"{path}.{side}.{name}", f"{value} is no quantity"


def _more_than_limit(graph: Graph) -> Iterator[Place]:
    for workload, _, path, requests, limits in _each(graph):
        for name, value in requests.items():
            wanted, most = parse_quantity(value), parse_quantity(limits.get(name))
            if wanted is not None and most is not None and wanted > most and "/" not in name:
                yield workload.item, f"{path}.requests.{name}", f"{value} is more than the limit {limits[name]}"


def _volumes(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for resource, in_memory in (("memory", True), (_DISK, False)):
            sizes = [
                parse_quantity(at(volume, "emptyDir", "sizeLimit")) or 0
                for volume in workload.volumes.values()
                if "emptyDir" in volume and (at(volume, "emptyDir", "medium") == "Memory") is in_memory
            ]
            limits = [parse_quantity(_amounts(c, "limits").get(resource)) for c in workload.containers if not c.is_init]
            known = [limit for limit in limits if limit is not None]
            if known and sum(sizes) >= sum(known) + (not in_memory):
                where = "memory" if in_memory else "disk"
                text = f"emptyDirs on {where} may hold {sum(sizes):.0f} bytes, the containers {sum(known):.0f}"
                yield workload.item, f"{workload.path}.spec.volumes", text


def gpus(graph: Graph, workload: Workload, container: Container) -> int:
    """How many GPUs a container has, by its limits and by its claims; a claim that is made elsewhere counts one."""
    counted = [number(amount) for name, amount in _amounts(container, "limits").items() if _is_gpu(name)]
    used = [claim.get("name") for claim in entries(at(container.value, "resources", "claims"))]
    for claim in entries(workload.pod.get("resourceClaims")):
        if claim.get("name") in used:
            name = claim.get("resourceClaimTemplateName")
            template = graph.find("ResourceClaimTemplate", name, workload.item.namespace)
            requests = template.entries("spec", "spec", "devices", "requests") if template else []
            counted += [number(at(request, "exactly", "count"), 1) for request in requests] or [1]
    return sum(counted)


def _is_gpu(name: str) -> bool:
    return name.endswith("/gpu") or "/mig-" in name


def _toleration(graph: Graph) -> Iterator[Place]:
    for workload, container, path, _, limits in _each(graph):
        names = [name for name in limits if _is_gpu(name)]
        keys = [str(entry.get("key")) for entry in entries(workload.pod.get("tolerations"))]
        tolerated = [key for key in keys if "/mig-" not in key]  # no taint: a slice's node has that of its GPUs
        if names and not tolerated:
            yield workload.item, f"{path}.limits", f"{names[0]} without a toleration of its node's taint"
        elif not tolerated and gpus(graph, workload, container):
            yield workload.item, f"{path}.claims", "a claim on devices without a toleration of their node's taint"


def _claims(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        known = set()
        for claim in entries(workload.pod.get("resourceClaims")):
            known.add(str(claim.get("name")))
            template = claim.get("resourceClaimTemplateName")
            there = graph.find("ResourceClaimTemplate", template, workload.item.namespace)
            if template is not None and there is None:
                text = f"no ResourceClaimTemplate {template} in this set"
                yield workload.item, f"{workload.path}.spec.resourceClaims", text
        used = set()
        for container in workload.containers:
            names = {str(claim.get("name")) for claim in entries(at(container.value, "resources", "claims"))}
            used |= names
            for name in sorted(names - known):
                yield workload.item, f"{container.path}.resources.claims", f"the pod has no claim {name}"
            if names and any(map(_is_gpu, _amounts(container, "limits"))):
                yield workload.item, f"{container.path}.resources", "GPUs by a claim and by a resource too"
        for name in sorted(known - used):
            text = f"no container uses the claim {name}"
            yield workload.item, f"{workload.path}.spec.resourceClaims", text


RULES = (
    Rule(
        "resources-missing", "error",
        "A pod without a limit takes its neighbours' memory or disk; one without a request is evicted first.",
        "Set cpu, memory and ephemeral-storage in requests and in limits.",
        _missing,
    ),
    Rule(
        "resources-memory", "error",
        "Weights and KV cache do not shrink: memory above the request is taken back by killing the pod.",
        "Make the request of memory equal to its limit.",
        _memory,
    ),
    Rule(
        "resources-extended", "error",
        "GPUs cannot be shared out twice: the API server refuses a pod whose request and limit differ.",
        "Set the same number in requests and limits.",
        _extended,
    ),
    Rule(
        "resources-quantity", "error",
        "The API server refuses it, and no schema checker does.",
        "Write a quantity such as 500m, 8Gi or 4.",
        _unreadable,
    ),
    Rule(
        "resources-order", "error",
        "The API server refuses a request above its limit.",
        "Lower the request or raise the limit.",
        _more_than_limit,
    ),
    Rule(
        "resources-volumes", "error",
        "Volumes count against the pod's memory or disk: filled up, they get the pod killed or evicted.",
        "Lower sizeLimit or raise the limit.",
        _volumes,
    ),
    Rule(
        "resources-toleration", "warning",
        "GPU nodes are usually tainted, and the pod would be pending for ever.",
        "Tolerate the taint, such as nvidia.com/gpu, Exists, NoSchedule.",
        _toleration,
    ),
    Rule(
        "resources-claim", "error",
        "A claim that is not there keeps the pod from starting; one that nobody uses, or beside a resource, holds a "
        "GPU that is idle.",
        "Name a template of the set in resourceClaims, and the claim in resources.claims of a container, only there.",
        _claims,
    ),
)  # fmt: skip
