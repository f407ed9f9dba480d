"""Model files: the claim that pods mount, and the job that fetches them once, before any pod starts."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.container import CONTAINER_SECURITY, empty_volume, equal_resources, pod_security
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.deploy.server_variables import download_variables

_TRIES = 4
_ONE_DAY = 86400


def claims(plan: Plan) -> list[Manifest]:
    """The claim for weights, where there is one."""
    if not plan.claims_weights:
        return []
    weights = plan.settings.deploy.weights
    spec: dict[str, Any] = {
        "accessModes": [weights.access_mode],
        **({"storageClassName": weights.storage_class} if weights.storage_class else {}),
        "resources": {"requests": {"storage": weights.size}},
    }
    return [manifest("v1", "PersistentVolumeClaim", places.WEIGHTS, plan.namespace, spec=spec)]


def jobs(plan: Plan) -> list[Manifest]:
    """The download, one container for each hub id, one after the other. Nothing where nothing is fetched."""
    if not plan.hub_ids:
        return []
    labels = places.labels("weights")
    *first, last = [_container(plan, number, hub_id) for number, hub_id in enumerate(plan.hub_ids, 1)]
    pod = {
        "serviceAccountName": places.WEIGHTS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(),
        **({"initContainers": first} if first else {}),
        "containers": [last],
        "volumes": [
            {"name": "weights", "persistentVolumeClaim": {"claimName": places.WEIGHTS}},
            empty_volume("temporary", "1Gi"),
        ],
    }
    spec = {
        "backoffLimit": _TRIES,
        "ttlSecondsAfterFinished": _ONE_DAY,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return [manifest("batch/v1", "Job", places.WEIGHTS, plan.namespace, labels=labels, spec=spec)]


def _container(plan: Plan, number: int, hub_id: str) -> dict[str, Any]:
    path = plan.settings.deploy.weights.path
    return {
        "name": f"pull-{number}",
        "image": plan.settings.deploy.image,
        "imagePullPolicy": "Always",
        "command": ["podium", "models", "pull", hub_id],
        "env": [{"name": name, "value": value} for name, value in download_variables(path).items()],
        "resources": equal_resources("1", "2Gi", "2Gi"),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "weights", "mountPath": path},
            {"name": "temporary", "mountPath": places.TEMPORARY_FOLDER},
        ],
    }
