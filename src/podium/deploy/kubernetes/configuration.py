"""The ConfigMap with the pods' ``podium.yaml``."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan


def config_map(plan: Plan) -> Manifest:
    """The configuration; what is secret is in files of its own."""
    return manifest("v1", "ConfigMap", places.CONFIG_MAP, plan.namespace, data={places.CONFIG_FILE: plan.config})
