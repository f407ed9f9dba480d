"""Volumes: claims that exist, in a mode that fits the number of pods, of kinds that are allowed."""

from __future__ import annotations

from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Container, Graph, Workload, at, words

_ALLOWED = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret", "image",
}  # fmt: skip
_ONE_NODE = {"ReadWriteOnce", "ReadWriteOncePod"}


def _claims(workload: Workload) -> Iterator[tuple[str, str]]:
    for name, volume in workload.volumes.items():
        claim = at(volume, "persistentVolumeClaim", "claimName")
        if claim is not None:
            yield name, str(claim)


def _missing(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for name, claim in _claims(workload):
            if graph.find("PersistentVolumeClaim", claim, workload.item.namespace) is None:
                yield workload.item, f"{workload.path}.spec.volumes[{name}]", f"no claim {claim} in this set"


def _one_node(graph: Graph) -> Iterator[Place]:
    for claim in graph.of("PersistentVolumeClaim"):
        users = [
            workload
            for workload in graph.workloads
            if workload.item.namespace == claim.namespace and claim.name in {used for _, used in _claims(workload)}
        ]
        pods = sum(_most_pods(graph, workload) for workload in users)
        modes = set(words(claim.at("spec", "accessModes")))
        if pods > 1 and modes and modes <= _ONE_NODE:
            names = ", ".join(str(user.item) for user in users)
            yield claim, "spec.accessModes", f"{', '.join(sorted(modes))}, and up to {pods} pods of {names}"


def _most_pods(graph: Graph, workload: Workload) -> int:
    return graph.most_pods(workload) + workload.surge


def _order(graph: Graph) -> Iterator[Place]:
    """A job in the same set writes what pods read, and nothing in them waits for it."""
    filled = {
        (workload.item.namespace, claim)
        for workload in graph.workloads
        if workload.ends
        for name, claim in _claims(workload)
        if any(_mounts(container, name, writes=True) for container in workload.containers)
    }
    for workload in graph.workloads:
        for name, claim in _claims(workload):
            waits = any(container.is_init and _mounts(container, name) for container in workload.containers)
            if not workload.ends and (workload.item.namespace, claim) in filled and not waits:
                text = f"a job fills the claim {claim}, and no init container waits for it"
                yield workload.item, f"{workload.path}.spec.volumes[{name}]", text


def _mounts(container: Container, volume: str, *, writes: bool = False) -> bool:
    found = [mount for mount in container.mounts.values() if mount.get("name") == volume]
    return bool(found) and not (writes and all(mount.get("readOnly") for mount in found))


def _kinds(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for name, volume in workload.volumes.items():
            for kind in set(volume) - _ALLOWED - {"name", "metadata", "spec", "apiVersion", "kind"}:
                yield workload.item, f"{workload.path}.spec.volumes[{name}]", f"a volume of the kind {kind}"


RULES = (
    Rule(
        "volume-claim", "error",
        "Pods wait for a claim that nobody makes, for ever.",
        "Add the PersistentVolumeClaim, or correct its name.",
        _missing,
    ),
    Rule(
        "volume-one-node", "error",
        "A second pod on another node cannot mount it: it stays ContainerCreating, and a rollout with it.",
        "Use ReadWriteMany or ReadOnlyMany, or one pod that is replaced and not rolled.",
        _one_node,
    ),
    Rule(
        "volume-kind", "error",
        "The Pod Security standard `restricted` does not admit it; a path of the node is the node.",
        "Use a claim, a secret, a configMap or an emptyDir.",
        _kinds,
    ),
    Rule(
        "volume-order", "warning",
        "A server that starts before its weights are whole finds no model, or half of one.",
        "Add an init container that mounts the claim and waits for what the job writes last.",
        _order,
    ),
)  # fmt: skip
