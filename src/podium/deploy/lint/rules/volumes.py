"""Volumes: claims that exist, in a mode that fits the number of pods, of kinds that are allowed."""

from __future__ import annotations

from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Workload, at, words

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
                yield workload.item, f"spec.template.spec.volumes[{name}]", f"no claim {claim} in this set"


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
    surge = workload.item.at("spec", "strategy", "rollingUpdate", "maxSurge")
    rolling = workload.item.kind == "Deployment" and workload.item.at("spec", "strategy", "type") != "Recreate"
    extra = (surge if isinstance(surge, int) else 1) if rolling else 0
    return graph.most_pods(workload) + extra


def _kinds(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for name, volume in workload.volumes.items():
            for kind in set(volume) - _ALLOWED - {"name", "metadata", "spec", "apiVersion", "kind"}:
                yield workload.item, f"spec.template.spec.volumes[{name}]", f"a volume of the kind {kind}"


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
)  # fmt: skip
