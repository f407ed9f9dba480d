"""Model files: the claim that pods mount, the job that fetches them once, and what makes pods wait for it."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes.container import (
    CONTAINER_SECURITY,
    empty_volume,
    equal_resources,
    pod_security,
    secret_volume,
)
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.deploy.pod_settings import digest
from podium.deploy.server_variables import download_variables, process_variables

_TRIES = 4
_ONE_DAY = 86400
_TOKEN_KEY = "token"  # noqa: S105 - a name
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
    marks = list(dict.fromkeys(_mark(plan, each) for each in plan.environments if each.hub_ids))
    pod = {
        "serviceAccountName": places.WEIGHTS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "restartPolicy": "Never",
        "securityContext": pod_security(),
        "initContainers": fetching_containers(plan, plan.hub_ids),
        "containers": [_container(plan, "mark", [*_MARK, "--write", *marks])],
        "volumes": [
            {"name": "weights", "persistentVolumeClaim": {"claimName": places.WEIGHTS}},
            empty_volume("temporary", "1Gi"),
            *token_volumes(plan),
        ],
    }
    spec = {
        "backoffLimit": _TRIES,
        "ttlSecondsAfterFinished": _ONE_DAY,
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    name = f"{places.WEIGHTS}-{digest(plan.settings.deploy.image + ' '.join(marks))[:8]}"
    elsewhere = {places.MADE_ELSEWHERE: " ".join(token_secrets(plan))} if token_secrets(plan) else {}
    return [manifest("batch/v1", "Job", name, plan.namespace, labels=labels, annotations=elsewhere, spec=spec)]


def token_secrets(plan: Plan) -> list[str]:
    """The secret with the hub's token, if there is one."""
    given = plan.settings.deploy.weights.token_secret
    return [given] if given else []


def token_volumes(plan: Plan) -> list[dict[str, Any]]:
    """A volume with the hub's token, if there is one. No server mounts it."""
    return [secret_volume("hub-token", secret, (_TOKEN_KEY,)) for secret in token_secrets(plan)]


def init_containers(plan: Plan, environment: PlannedEnvironment) -> list[dict[str, Any]]:
    """What a server's pod does before its server starts: fetch its weights, or wait for the job that does."""
    if not environment.hub_ids:
        return []
    if plan.fetches_by_pod:
        return fetching_containers(plan, environment.hub_ids)
    waiting = [*_MARK, "--wait", _mark(plan, environment), f"--seconds={environment.timings.fetch_seconds}"]
    return [_container(plan, "await-weights", waiting, image=environment.image, writes=False)]


def fetching_containers(plan: Plan, hub_ids: list[str]) -> list[dict[str, Any]]:
    """One for each hub id."""
    return [
        _with_token(plan, _container(plan, f"pull-{number}", ["podium", "models", "pull", hub_id]))
        for number, hub_id in enumerate(hub_ids, 1)
    ]


def _with_token(plan: Plan, container: dict[str, Any]) -> dict[str, Any]:
    if not token_secrets(plan):
        return container
    variable = {"name": places.HUB_TOKEN_VARIABLE, "value": f"{places.HUB_SECRET_FOLDER}/{_TOKEN_KEY}"}
    mount = {"name": "hub-token", "mountPath": places.HUB_SECRET_FOLDER, "readOnly": True}
    return {
        **container,
        "env": [*container["env"], variable],
        "volumeMounts": [*container["volumeMounts"], mount],
    }


def _mark(plan: Plan, environment: PlannedEnvironment) -> str:
    """Beside the weights; another one for another list of models, so that one environment waits for its own alone."""
    listed = digest(" ".join(environment.hub_ids))[:16]
    return f"{plan.settings.deploy.weights.path}/{places.HUB_FOLDER}/.fetched-{listed}"


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
