"""Kustomizations: which files belong together, and how many pods an overlay has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from podium.deploy.kubernetes.manifest import to_yaml

FILE = "kustomization.yaml"


def kustomization(resources: Sequence[str], replicas: Mapping[str, int] | None = None) -> str:
    """The file's text. ``replicas``: pods by name of the Deployment."""
    document: dict[str, Any] = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": list(resources),
    }
    if replicas:
        document["replicas"] = [{"name": name, "count": count} for name, count in replicas.items()]
    return to_yaml([document])
