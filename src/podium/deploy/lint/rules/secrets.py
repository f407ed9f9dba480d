"""Secrets: in files that few may read, named where they exist, and never written out."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Graph, Item, Workload, at, entries, words

_SECRET_NAME = re.compile(r"(password|passwd|secret|token|api_?key|credential|private_?key)s?\Z", re.IGNORECASE)
_SECRET_TEXT = re.compile(
    r"(?P<url>[a-z][a-z0-9+]*://[^/@\s:]*:[^/@\s]+@)"
    r"|(?P<line>(?:password|secret|token|api_?key)['\"]?\s*[:=]\s*['\"]?[A-Za-z0-9+/_-]{12,})"
    r"|(?P<known>hf_[A-Za-z0-9]{30,}|sk-[A-Za-z0-9_-]{20,}|AKIA[0-9A-Z]{16}"
    r"|podium_[0-9a-f]{8,}_[A-Za-z0-9_-]{20,}|-----BEGIN [A-Z ]*PRIVATE)",
    re.IGNORECASE,
)
_OTHERS_BITS = 0o007
_DEFAULT_MODE = 0o644


def holds_credential(name: str, value: str) -> bool:
    """Whether a variable has a key in it, by its name or by its looks. A path is none."""
    return bool(_SECRET_TEXT.search(value) or (_SECRET_NAME.search(name) and value and not value.startswith("/")))


def _written_out(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.containers:
            for name, value in container.env.items():
                if holds_credential(name, value):
                    yield workload.item, f"{container.path}.env", f"{name} holds a credential"
            line = [*words(container.value.get("command")), *words(container.value.get("args"))]
            if any(_SECRET_TEXT.search(str(word)) for word in line):
                yield workload.item, f"{container.path}.command", "a word of it holds a credential"
    for item in graph.items:
        texts = {
            **item.mapping("metadata", "annotations"),
            **(item.mapping("data") if item.kind == "ConfigMap" else {}),
        }
        for key, text in texts.items():
            if _SECRET_TEXT.search(str(text)):
                yield item, f"data.{key}" if item.kind == "ConfigMap" else f"metadata.annotations.{key}", "a credential"


def _in_environment(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.containers:
            for entry in entries(container.value.get("env")):
                if at(entry, "valueFrom", "secretKeyRef"):
                    yield workload.item, f"{container.path}.env", f"{entry.get('name')} comes from a secret"
            if any("secretRef" in source for source in entries(container.value.get("envFrom"))):
                yield workload.item, f"{container.path}.envFrom", "a whole secret"


def _missing(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for path, kind, name, keys in _references(workload):
            yield from _unresolved(graph, workload.item, path, kind, name, keys)
    for monitor in graph.of("PodMonitor", "ServiceMonitor"):
        for endpoint in _endpoints(monitor):
            secret = at(endpoint, "authorization", "credentials")
            if isinstance(secret, Mapping):
                keys = {str(secret.get("key"))}
                yield from _unresolved(graph, monitor, "spec", "Secret", str(secret.get("name")), keys)


def _endpoints(monitor: Item) -> list[Mapping[str, Any]]:
    return [*monitor.entries("spec", "podMetricsEndpoints"), *monitor.entries("spec", "endpoints")]


def _references(workload: Workload) -> Iterator[tuple[str, str, str, set[str]]]:
    for name, volume in workload.volumes.items():
        path = f"{workload.path}.spec.volumes[{name}]"
        for kind, member, field in (("ConfigMap", "configMap", "name"), ("Secret", "secret", "secretName")):
            source = volume.get(member)
            if isinstance(source, Mapping) and not source.get("optional"):
                yield path, kind, str(source.get(field)), {str(i.get("key")) for i in entries(source.get("items"))}
    for container in workload.containers:
        for entry in entries(container.value.get("env")):
            for kind, member in (("ConfigMap", "configMapKeyRef"), ("Secret", "secretKeyRef")):
                source = at(entry, "valueFrom", member)
                if isinstance(source, Mapping) and not source.get("optional"):
                    yield f"{container.path}.env", kind, str(source.get("name")), {str(source.get("key"))}


def _unresolved(graph: Graph, user: Item, path: str, kind: str, name: str, keys: set[str]) -> Iterator[Place]:
    elsewhere = str(user.at("metadata", "annotations", "podium/secrets-made-elsewhere") or "").split()
    if kind == "Secret" and name in elsewhere:
        return
    found = graph.find(kind, name, user.namespace)
    if found is None:
        yield user, path, f"no {kind} {name} in this set"
        return
    held = {*found.mapping("data"), *found.mapping("stringData"), *found.mapping("binaryData")}
    for key in sorted(keys - held):
        yield user, path, f"{kind} {name} has no key {key}"


def _readable(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for name, volume in workload.volumes.items():
            secret = volume.get("secret")
            mode = at(volume, "secret", "defaultMode")
            if isinstance(secret, Mapping) and (mode if isinstance(mode, int) else _DEFAULT_MODE) & _OTHERS_BITS:
                yield workload.item, f"{workload.path}.spec.volumes[{name}]", "files that everybody in the pod may read"


RULES = (
    Rule(
        "secret-written-out", "error",
        "Whoever reads the manifest, the pod's description or the repository has the key.",
        "Put it into a Secret and mount that as a file.",
        _written_out,
    ),
    Rule(
        "secret-in-environment", "warning",
        "The environment is inherited by every worker, and shows up in dumps and in /proc.",
        "Mount the Secret as a file and name the file in the settings.",
        _in_environment,
    ),
    Rule(
        "secret-missing", "error",
        "A pod whose Secret or ConfigMap does not exist never starts.",
        "Add it, correct the name or key, or list a Secret that is made elsewhere in the annotation "
        "podium/secrets-made-elsewhere.",
        _missing,
    ),
    Rule(
        "secret-mode", "warning",
        "A tool that runs as another user in the same pod could read the key.",
        "Set defaultMode to 0440 (288) and fsGroup to the pod's group.",
        _readable,
    ),
)  # fmt: skip
