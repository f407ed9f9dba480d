"""Copies of a model over several GPUs: enough of them, pods that begin and end together, and a way between them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import GROUPS, Graph, Workload, at, entries, number, words
from podium.deploy.lint.rules.network import policies
from podium.deploy.lint.rules.resources import gpus

_OPTION = re.compile(r"--(tensor|pipeline)[-_]parallel[-_]size[= ]+(\d+)")
_SHARED_MEMORY = "/dev/shm"  # noqa: S108 - of a container
_GROUP_SIZE = ("spec", "leaderWorkerTemplate", "size")


def _sizes(graph: Graph, workload: Workload) -> list[int]:
    """GPUs of each copy of a model that these pods are told to load."""
    found = []
    for text in graph.mounted_texts(workload):
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        for model in entries(at(document, "models")):
            engine = at(model, "engine")
            found.append(number(at(engine, "tensor_parallel"), 1) * number(at(engine, "pipeline_parallel"), 1))
    for container in workload.serving:
        line = " ".join([*words(container.value.get("command")), *words(container.value.get("args"))])
        told = {which: int(size) for which, size in _OPTION.findall(line)}
        if told:
            found.append(told.get("tensor", 1) * told.get("pipeline", 1))
    return found


def _size(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        per_pod = sum(gpus(graph, workload, container) for container in workload.serving)
        pods = number(workload.item.at(*_GROUP_SIZE), 1) if workload.item.kind == GROUPS else 1
        wanted = max(_sizes(graph, workload), default=1)
        if not workload.follows and wanted > 1 and wanted > per_pod * pods:
            text = f"{wanted} GPUs for one copy, and {pods} pods with {per_pod} each"
            yield workload.item, f"{workload.path}.spec.containers", text


def _restart(graph: Graph) -> Iterator[Place]:
    for group in graph.of(GROUPS):
        policy = group.at("spec", "leaderWorkerTemplate", "restartPolicy")
        if policy == "None":
            yield group, "spec.leaderWorkerTemplate.restartPolicy", "None"


def _startup(graph: Graph) -> Iterator[Place]:
    for group in graph.of(GROUPS):
        if group.at("spec", "startupPolicy") == "LeaderReady":
            yield group, "spec.startupPolicy", "LeaderReady"


def _network(graph: Graph) -> Iterator[Place]:
    for workload in (each for each in graph.workloads if each.follows):
        for way, peers in (("Ingress", "from"), ("Egress", "to")):
            found = policies(graph, workload, way)
            rules = [rule for policy in found for rule in policy.entries("spec", way.lower())]
            inside = [
                rule
                for rule in rules
                if not rule.get("ports") and (not rule.get(peers) or _leads_to_pods(rule.get(peers)))
            ]
            if found and not inside:
                text = f"no policy for {way} lets pods of a group reach each other on every port"
                yield workload.item, f"{workload.path}.metadata.labels", text


def _leads_to_pods(peers: object) -> bool:
    return any("podSelector" in peer for peer in entries(peers))


def _shared_memory(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.serving:
            mount = container.mounts.get(_SHARED_MEMORY)
            volume = workload.volumes.get(str(mount.get("name"))) if mount else None
            if gpus(graph, workload, container) > 1 and at(volume, "emptyDir", "medium") != "Memory":
                text = f"{gpus(graph, workload, container)} GPUs and no volume in memory at {_SHARED_MEMORY}"
                yield workload.item, f"{container.path}.volumeMounts", text


RULES = (
    Rule(
        "group-size", "error",
        "vLLM waits for GPUs that never come, until the startup probe kills it.",
        "Give pods as many GPUs as tensor_parallel * pipeline_parallel, or more pods to the group.",
        _size,
    ),
    Rule(
        "group-restart", "error",
        "When one pod of a copy restarts, the others wait for its old self for ever, and the copy hangs.",
        "Set restartPolicy to RecreateGroupOnPodRestart.",
        _restart,
    ),
    Rule(
        "group-startup", "error",
        "The leader is ready when its model is loaded, and that needs the pods which wait for it to be ready.",
        "Set startupPolicy to LeaderCreated.",
        _startup,
    ),
    Rule(
        "group-network", "error",
        "NCCL and Gloo choose their ports: with some of them shut, loading hangs.",
        "Allow all ports between pods of the group, both ways.",
        _network,
    ),
    Rule(
        "group-shared-memory", "error",
        "GPUs of one pod talk through /dev/shm, which has 64 MiB in a container: loading fails, or is slow.",
        "Mount an emptyDir with medium Memory and a sizeLimit there.",
        _shared_memory,
    ),
)  # fmt: skip
