"""The Namespace, with the strictest Pod Security standard."""

from __future__ import annotations

from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

_POD_SECURITY = "pod-security.kubernetes.io"


def namespace(plan: Plan) -> Manifest:
    """It refuses what is not `restricted`, and says so to whoever applies it."""
    labels = {f"{_POD_SECURITY}/{mode}": "restricted" for mode in ("enforce", "audit", "warn")}
    labels |= {f"{_POD_SECURITY}/{mode}-version": "latest" for mode in ("enforce", "audit", "warn")}
    return manifest("v1", "Namespace", plan.namespace, None, labels=labels)
