"""A rendered pod without a cluster: its container's program as its user, on a root that cannot be written to.

Linux, as root, with permission to make mount namespaces. What the pod mounts is all that can be written.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from podium.deploy.lint.graph import Graph, Workload, at, entries
from support.source import ROOT

_ENTER = Path(__file__).with_name("enter_pod.py")
_HIDDEN = {"tmp", "var", "etc", "models", "run", "proc", "sys", "dev"}


def require_namespaces() -> None:
    """Skip where mount namespaces cannot be made: only root may, and not in every sandbox."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("only root on Linux can give a process another root")
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, "-m", "true"], capture_output=True, check=False).returncode:
        pytest.skip("mount namespaces cannot be made here")


def _is_open(path: Path) -> bool:
    """Whether everybody may look inside; a home folder is none of a pod's."""
    return bool(path.stat().st_mode & 0o001)


def surroundings() -> dict[str, list[str]]:
    """What of this machine a container's root has, read-only: its programs."""
    return {
        "bound": sorted(path.name for path in Path("/").iterdir() if path.name not in _HIDDEN and _is_open(path)),
        "programs": sorted({str(Path(path).resolve()) for path in (sys.base_prefix, sys.prefix, ROOT)}),
    }


@dataclass(frozen=True)
class Pod:
    """One workload of a rendered set."""

    graph: Graph
    workload: Workload
    folder: Path

    @property
    def container(self) -> Mapping[str, Any]:
        return self.workload.serving[0].value

    @property
    def grace_seconds(self) -> int:
        return int(self.workload.pod["terminationGracePeriodSeconds"])

    @property
    def pre_stop_seconds(self) -> int:
        return int(at(self.container, "lifecycle", "preStop", "sleep", "seconds"))

    @property
    def config(self) -> str:
        config = self.graph.find("ConfigMap", "podium-config", self.workload.item.namespace)
        assert config is not None
        return str(config.at("data", "podium.yaml"))

    def start(
        self,
        *command: str,
        more: Sequence[str] = (),
        secrets: Mapping[str, Mapping[str, str]] | None = None,
        hosts: Sequence[str] = (),
    ) -> subprocess.Popen[str]:
        """Start the pod's own command and ``more`` words, or ``command``, with the pod's environment and nothing else.

        ``secrets``: files by secret, and by volume of several sources. ``hosts``: names of this machine in the pod.
        """
        env = self.workload.serving[0].env
        root = self.folder / "root"
        root.mkdir(parents=True)
        words = list(command) or [*self._own_command(), *more]
        plan = {
            "root": str(root),
            "program": words,
            "environment": {**env, "PATH": os.environ["PATH"]},
            "user": at(self.workload.pod, "securityContext", "runAsUser"),
            "group": at(self.workload.pod, "securityContext", "runAsGroup"),
            **surroundings(),
            "hosts": list(hosts),
            "mounts": [self._mount(each, secrets or {}) for each in entries(self.container.get("volumeMounts"))],
        }
        return subprocess.Popen(
            ["unshare", "--mount", sys.executable, str(_ENTER), json.dumps(plan)],  # noqa: S607
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def _own_command(self) -> list[str]:
        program, *words = self.container["command"]
        return [sys.executable, *([] if program == "python" else ["-m", program]), *words]

    def _mount(self, mount: Mapping[str, Any], secrets: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
        volume = self.workload.volumes[str(mount["name"])]
        files: Mapping[str, Any] = {}
        if "configMap" in volume:
            files = self.graph.find("ConfigMap", at(volume, "configMap", "name"), "podium").mapping("data")  # type: ignore[union-attr]
        elif "secret" in volume:
            files = secrets[str(at(volume, "secret", "secretName"))]
        elif "projected" in volume:
            files = secrets[str(mount["name"])]
        return {
            "path": mount["mountPath"],
            "files": dict(files),
            "writable": ("emptyDir" in volume or "spec" in volume) and not mount.get("readOnly"),
            "mode": at(volume, "secret", "defaultMode"),
        }


def server_pod(graph: Graph, folder: Path) -> Pod:
    """The first server of a set; ``folder`` is where its root is put together."""
    return pod_of(graph, "server", folder)


def pod_of(graph: Graph, component: str, folder: Path) -> Pod:
    """Same for the first workload of another component."""
    found = next(w for w in graph.workloads if w.labels.get("app.kubernetes.io/component") == component)
    return Pod(graph, found, folder)
