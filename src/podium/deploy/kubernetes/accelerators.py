"""GPUs of a pod: as a resource that a device plugin counts, or as a claim on devices that a driver hands out."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

_CLAIM = "gpus"


def of_pod(plan: Plan) -> dict[str, Any]:
    """The toleration of nodes with GPUs, and the claim where there is one; nothing without GPUs."""
    if plan.profile != "gpu":
        return {}
    given = plan.settings.deploy.accelerators
    found: dict[str, Any] = {"tolerations": [{"key": given.taint_key, "operator": "Exists", "effect": "NoSchedule"}]}
    if given.allocation == "claim":
        found["resourceClaims"] = [{"name": _CLAIM, "resourceClaimTemplateName": places.ACCELERATORS}]
    return found


def of_container(plan: Plan, resources: dict[str, Any]) -> dict[str, Any]:
    """The container's resources with its GPUs."""
    if plan.profile != "gpu":
        return resources
    given = plan.settings.deploy.accelerators
    if given.allocation == "claim":
        return {**resources, "claims": [{"name": _CLAIM}]}
    return {side: {**amounts, given.resource: given.per_pod} for side, amounts in resources.items()}


def claimed(plan: Plan) -> dict[str, float]:
    """Devices that a pod has by a claim, by their class: no resource of a container tells of them."""
    given = plan.settings.deploy.accelerators
    is_claimed = plan.profile == "gpu" and given.allocation == "claim"
    return {given.device_class: float(given.per_pod)} if is_claimed else {}


def claim_templates(plan: Plan) -> list[Manifest]:
    """What each pod claims, where GPUs are claimed."""
    given = plan.settings.deploy.accelerators
    if plan.profile != "gpu" or given.allocation != "claim":
        return []
    wanted: dict[str, Any] = {
        "deviceClassName": given.device_class,
        "allocationMode": "ExactCount",
        "count": given.per_pod,
        **({"selectors": [{"cel": {"expression": given.device_selector}}]} if given.device_selector else {}),
    }
    spec = {"spec": {"devices": {"requests": [{"name": _CLAIM, "exactly": wanted}]}}}
    return [manifest("resource.k8s.io/v1", "ResourceClaimTemplate", places.ACCELERATORS, plan.namespace, spec=spec)]
