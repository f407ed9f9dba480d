"""A set of objects as one graph: which pods a selector means, what a pod refers to, what refers to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import yaml

from podium.deploy.places import LONGEST_STREAM

WORKLOADS = ("Deployment", "StatefulSet", "DaemonSet", "Job", "Rollout")
GROUPS = "LeaderWorkerSet"
_GROUP_TEMPLATES = ("leaderTemplate", "workerTemplate")
SCALERS = ("ScaledObject", "HorizontalPodAutoscaler")


@dataclass(frozen=True)
class Item:
    """One object and the file that it is from. ``at`` walks into it and never fails."""

    value: Mapping[str, Any]
    file: str

    @property
    def kind(self) -> str:
        """Its kind; empty when it has none."""
        return str(self.value.get("kind", ""))

    @property
    def name(self) -> str:
        """Its name; empty when it has none."""
        return str(self.at("metadata", "name") or "")

    @property
    def namespace(self) -> str:
        """Where it is."""
        return str(self.at("metadata", "namespace") or "default")

    def __str__(self) -> str:
        return f"{self.kind}/{self.name}"

    def at(self, *steps: str) -> Any:
        """The value behind ``steps``, or None."""
        return at(self.value, *steps)

    def mapping(self, *steps: str) -> Mapping[str, Any]:
        """Same, where a mapping is expected; empty for anything else."""
        found = self.at(*steps)
        return mapping(found)

    def entries(self, *steps: str) -> list[Mapping[str, Any]]:
        """Same, where a list of mappings is expected."""
        return entries(self.at(*steps))


def at(value: Any, *steps: str) -> Any:
    """The value behind ``steps`` in nested mappings, or None."""
    for step in steps:
        if not isinstance(value, Mapping):
            return None
        value = value.get(step)
    return value


def entries(value: Any) -> list[Mapping[str, Any]]:
    """The mappings of a list; empty for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [entry for entry in value if isinstance(entry, Mapping)]


def mapping(value: Any) -> Mapping[str, Any]:
    """A mapping as it is; empty for anything else."""
    return value if isinstance(value, Mapping) else {}


def words(value: Any) -> list[str]:
    """The plain values of a list, as texts; empty for anything else."""
    if not isinstance(value, Sequence) or isinstance(value, str):
        return []
    return [str(entry) for entry in value if isinstance(entry, str | int | float)]


def number(value: Any, default: int = 0) -> int:
    """A whole number as it is; ``default`` for anything else."""
    return value if isinstance(value, int) and not isinstance(value, bool) else default


@dataclass(frozen=True)
class Container:
    """A container with the path where it stands."""

    value: Mapping[str, Any]
    path: str
    is_init: bool

    @property
    def env(self) -> dict[str, str]:
        """Its variables that have a value of their own."""
        return {
            str(e.get("name")): str(e["value"]) for e in entries(self.value.get("env")) if e.get("value") is not None
        }

    @property
    def ports(self) -> dict[str, int]:
        """Declared ports by name; one without a name by its number."""
        found = entries(self.value.get("ports"))
        return {str(port.get("name", port.get("containerPort"))): number(port.get("containerPort")) for port in found}

    @property
    def mounts(self) -> dict[str, Mapping[str, Any]]:
        """Mounts by path."""
        return {str(mount.get("mountPath")): mount for mount in entries(self.value.get("volumeMounts"))}

    def declares(self, port: object) -> bool:
        """Whether ``port`` is the name or the number of a declared one."""
        return str(port) in self.ports or port in self.ports.values()


@dataclass(frozen=True)
class Workload:
    """Something that makes pods: of one kind, whose template is behind ``steps``."""

    item: Item
    steps: tuple[str, ...] = ("spec", "template")

    @property
    def path(self) -> str:
        """Where the template of its pods stands."""
        return ".".join(self.steps)

    @property
    def template(self) -> Mapping[str, Any]:
        """The template of its pods."""
        return self.item.mapping(*self.steps)

    @property
    def follows(self) -> bool:
        """Whether its pods compute with a leader, and serve nobody by themselves."""
        return self.steps[-1] == _GROUP_TEMPLATES[1]

    @property
    def pods_of_copy(self) -> int:
        """How many of these pods there are for each copy."""
        if not self.follows:
            return 1
        return max(0, number(self.item.at("spec", "leaderWorkerTemplate", "size"), 1) - 1)

    @property
    def surge(self) -> int:
        """Pods beyond the number at rest, while a rollout runs."""
        if self.item.kind == GROUPS:
            update = ("spec", "rolloutStrategy", "rollingUpdateConfiguration")
            return self.pods_of_copy * number(self.item.at(*update, "maxSurge"), 0)
        if self.item.kind != "Deployment" or self.item.at("spec", "strategy", "type") == "Recreate":
            return 0
        return number(self.item.at("spec", "strategy", "rollingUpdate", "maxSurge"), 1)

    @property
    def pod(self) -> Mapping[str, Any]:
        """What its pods are made of."""
        found = at(self.template, "spec")
        return found if isinstance(found, Mapping) else {}

    @property
    def labels(self) -> Mapping[str, Any]:
        """Labels of its pods."""
        found = at(self.template, "metadata", "labels")
        return found if isinstance(found, Mapping) else {}

    @property
    def annotations(self) -> Mapping[str, Any]:
        """Annotations of its pods."""
        found = at(self.template, "metadata", "annotations")
        return found if isinstance(found, Mapping) else {}

    @property
    def ends(self) -> bool:
        """Whether its pods are meant to end."""
        return self.item.kind == "Job"

    @property
    def containers(self) -> list[Container]:
        """All of them, init containers too."""
        base = f"{self.path}.spec"
        return [
            Container(value, f"{base}.{field}[{number}]", is_init=field == "initContainers")
            for field in ("initContainers", "containers")
            for number, value in enumerate(entries(self.pod.get(field)))
        ]

    @property
    def serving(self) -> list[Container]:
        """Containers that stay."""
        return [] if self.ends else [container for container in self.containers if not container.is_init]

    @property
    def volumes(self) -> dict[str, Mapping[str, Any]]:
        """Volumes by name, those of claim templates too."""
        found = {str(volume.get("name")): volume for volume in entries(self.pod.get("volumes"))}
        for claim in self.item.entries("spec", "volumeClaimTemplates"):
            found[str(at(claim, "metadata", "name"))] = claim
        return found

    @property
    def replicas(self) -> int | None:
        """How many pods it says; None when it says nothing."""
        found = self.item.at("spec", "replicas")
        return found if isinstance(found, int) else None


@dataclass(frozen=True)
class Graph:
    """All objects of one set."""

    items: tuple[Item, ...]

    def of(self, *kinds: str) -> list[Item]:
        """The objects of these kinds, in their order."""
        return [item for item in self.items if item.kind in kinds]

    def find(self, kind: str, name: object, namespace: str) -> Item | None:
        """The object of that kind and name, if it is in the set."""
        return next((item for item in self.of(kind) if (item.name, item.namespace) == (name, namespace)), None)

    @cached_property
    def workloads(self) -> list[Workload]:
        """Everything that makes pods. A group of a leader and others makes two kinds; a Rollout may take another's."""
        return [
            *(Workload(item) for item in self.of(*WORKLOADS) if not item.at("spec", "workloadRef")),
            *(
                Workload(item, ("spec", "leaderWorkerTemplate", template))
                for item in self.of(GROUPS)
                for template in _GROUP_TEMPLATES
            ),
        ]

    def selected(self, selector: Mapping[str, Any], namespace: str) -> list[Workload]:
        """The workloads whose pods a label selector means."""
        return [w for w in self.workloads if w.item.namespace == namespace and matches(selector, w.labels)]

    def services_of(self, workload: Workload) -> list[Item]:
        """The Services that lead to its pods."""
        return [
            service
            for service in self.of("Service")
            if service.mapping("spec", "selector") and workload in self.service_targets(service)
        ]

    def service_targets(self, service: Item) -> list[Workload]:
        """The workloads behind a Service."""
        return self.selected({"matchLabels": service.mapping("spec", "selector")}, service.namespace)

    @cached_property
    def served(self) -> list[Workload]:
        """Workloads with a Service."""
        return [workload for workload in self.workloads if self.services_of(workload)]

    def scalers_of(self, workload: Workload) -> list[Item]:
        """The scalers that own its number of pods."""
        item = workload.item
        return [scaler for scaler in self.of(*SCALERS) if target_of(scaler) == (item.kind, item.name, item.namespace)]

    def most_pods(self, workload: Workload) -> int:
        """The most pods that it has at rest."""
        scaled = [
            scaler.at("spec", "maxReplicaCount") or scaler.at("spec", "maxReplicas")
            for scaler in self.scalers_of(workload)
        ]
        given = [count for count in scaled if isinstance(count, int)]
        copies = max(given) if given else (1 if workload.replicas is None else workload.replicas)
        return copies * workload.pods_of_copy

    def longest_stream_seconds(self, workload: Workload) -> float:
        """What the pods promise not to cut: by their annotation, else by a mounted podium.yaml; 0 when unknown."""
        said = workload.annotations.get(LONGEST_STREAM)
        if said is not None and str(said).isdigit():
            return float(said)
        return max((_drain_seconds(text) for text in self.mounted_texts(workload)), default=0.0)

    def mounted_texts(self, workload: Workload) -> Iterator[str]:
        """What its pods mount of ConfigMaps."""
        for volume in workload.volumes.values():
            config = self.find("ConfigMap", at(volume, "configMap", "name"), workload.item.namespace)
            if config is not None:
                yield from (str(text) for text in config.mapping("data").values())


def matches(selector: Any, labels: Mapping[str, Any]) -> bool:
    """Whether a label selector means something with ``labels``. An empty selector means everything."""
    if not isinstance(selector, Mapping):
        return False
    wanted = mapping(selector.get("matchLabels"))
    if not all(labels.get(key) == value for key, value in wanted.items()):
        return False
    return all(_expression(expression, labels) for expression in entries(selector.get("matchExpressions")))


def _expression(expression: Mapping[str, Any], labels: Mapping[str, Any]) -> bool:
    key, values = str(expression.get("key")), words(expression.get("values"))
    match expression.get("operator"):
        case "In":
            return str(labels.get(key)) in values
        case "NotIn":
            return str(labels.get(key)) not in values
        case "Exists":
            return key in labels
        case "DoesNotExist":
            return key not in labels
    return False


def target_of(scaler: Item) -> tuple[str, str, str]:
    """Kind, name and namespace of what a scaler scales."""
    target = scaler.mapping("spec", "scaleTargetRef")
    return str(target.get("kind", "Deployment")), str(target.get("name", "")), scaler.namespace


def _drain_seconds(text: str) -> float:
    try:
        found = at(yaml.safe_load(text), "server", "drain_seconds")
    except yaml.YAMLError:
        return 0.0
    return float(found) if isinstance(found, int | float) else 0.0
