"""Mounts: every mount has its volume, every path that is written to can be, and nothing grows without bound."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from podium.deploy.lint.finding import Place, Rule
from podium.deploy.lint.graph import Container, Graph, at, entries

_WRITTEN = ("TMPDIR", "XDG_CACHE_HOME", "TRITON_CACHE_DIR", "NUMBA_CACHE_DIR", "HOME")
_HUB = "HF_HOME"
_TEMPORARY = "/tmp"  # noqa: S108 - of a container


def _no_volume(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.containers:
            for mount in container.mounts.values():
                if str(mount.get("name")) not in workload.volumes:
                    yield workload.item, f"{container.path}.volumeMounts", f"no volume {mount.get('name')}"


def _not_writable(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.containers:
            if not at(container.value, "securityContext", "readOnlyRootFilesystem"):
                continue
            for name, path in _written_paths(container):
                if not _is_writable(container, path):
                    yield workload.item, f"{container.path}.volumeMounts", f"{name} is {path}, which cannot be written"


def _written_paths(container: Container) -> Iterator[tuple[str, str]]:
    env = container.env
    yield "the folder for temporary files", env.get("TMPDIR", _TEMPORARY)
    for name in _WRITTEN[1:]:
        if name in env:
            yield name, env[name]
    if _HUB in env and env.get("HF_HUB_OFFLINE") != "1":
        yield _HUB, env[_HUB]


def _is_writable(container: Container, path: str) -> bool:
    below = [mount for mount in container.mounts if path == mount or path.startswith(mount.rstrip("/") + "/")]
    return bool(below) and not container.mounts[max(below, key=len)].get("readOnly")


def _unbounded(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for name, volume in workload.volumes.items():
            if "emptyDir" in volume and not at(volume, "emptyDir", "sizeLimit"):
                yield workload.item, f"{workload.path}.spec.volumes", f"emptyDir {name} has no sizeLimit"


def _hidden(graph: Graph) -> Iterator[Place]:
    for workload in graph.workloads:
        for container in workload.containers:
            paths = [str(mount.get("mountPath")) for mount in entries(container.value.get("volumeMounts"))]
            for path, count in Counter(path.rstrip("/") for path in paths).items():
                if count > 1:
                    yield workload.item, f"{container.path}.volumeMounts", f"{path} is mounted {count} times"


RULES = (
    Rule(
        "mount-no-volume", "error",
        "The API server refuses such a pod: a rollout would stop at its first one.",
        "Add the volume, or remove the mount.",
        _no_volume,
    ),
    Rule(
        "mount-not-writable", "error",
        "With a read-only root, a library that writes its cache there fails, often at the first request only.",
        "Mount an emptyDir with a sizeLimit there, or point the variable into one.",
        _not_writable,
    ),
    Rule(
        "mount-unbounded", "error",
        "A model cache without a bound fills the node's disk, and other pods are evicted for it.",
        "Set emptyDir.sizeLimit.",
        _unbounded,
    ),
    Rule(
        "mount-hidden", "error",
        "Of two volumes at one path only one is seen; weights or configuration of the other are missing.",
        "Give each volume a path of its own.",
        _hidden,
    ),
)  # fmt: skip
