"""Model files: the claim that pods mount, the job that fetches them once, and what makes pods wait for it."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.container import CONTAINER_SECURITY, empty_volume, equal_resources, pod_security
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.deploy.pod_settings import digest
from podium.deploy.server_variables import download_variables, process_variables

_TRIES = 4
_ONE_DAY = 86400
_MARK = ["python", "-m", "podium.models.fetched"]


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
    """The download, one container for each hub id, one after the other, and then the mark that pods wait for.

    Its name changes with what it does, since a job's pods cannot be changed. Nothing where no job fetches.
    """
    if not plan.fetches_by_job:
        return []
    labels = places.labels("weights")
    pod = {
        "serviceAccountName": places.WEIGHTS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(),
        "initContainers": fetching_containers(plan),
        "containers": [_container(plan, "mark", [*_MARK, "--write", _mark(plan)])],
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
    name = f"{places.WEIGHTS}-{digest(plan.settings.deploy.image + _mark(plan))[:8]}"
    return [manifest("batch/v1", "Job", name, plan.namespace, labels=labels, spec=spec)]


def init_containers(plan: Plan, image: str) -> list[dict[str, Any]]:
    """What a server's pod does before its server starts: fetch its weights, or wait for the job that does."""
    if plan.fetches_by_pod:
        return fetching_containers(plan)
    if not plan.fetches_by_job:
        return []
    waiting = [*_MARK, "--wait", _mark(plan), f"--seconds={plan.timings.fetch_seconds}"]
    return [_container(plan, "await-weights", waiting, image=image, writes=False)]


def fetching_containers(plan: Plan) -> list[dict[str, Any]]:
    """One for each hub id."""
    return [
        _container(plan, f"pull-{number}", ["podium", "models", "pull", hub_id])
        for number, hub_id in enumerate(plan.hub_ids, 1)
    ]


def _mark(plan: Plan) -> str:
    """Beside the weights; another one for another list of models."""
    return f"{plan.settings.deploy.weights.path}/{places.HUB_FOLDER}/.fetched-{digest(' '.join(plan.hub_ids))[:16]}"


def _container(
    plan: Plan, name: str, command: list[str], *, image: str | None = None, writes: bool = True
) -> dict[str, Any]:
    path = plan.settings.deploy.weights.path
    environment = download_variables(path) if writes else process_variables()
    return {
        "name": name,
        "image": image or plan.settings.deploy.image,
        "imagePullPolicy": "Always",
        "command": command,
        "env": [{"name": key, "value": value} for key, value in environment.items()],
        "resources": equal_resources("1", "2Gi", "2Gi") if writes else equal_resources("100m", "256Mi", "64Mi"),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "weights", "mountPath": path, **({} if writes else {"readOnly": True})},
            {"name": "temporary", "mountPath": places.TEMPORARY_FOLDER},
        ],
    }
