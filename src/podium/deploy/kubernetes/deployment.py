"""The Deployment of each environment: one `podium serve` in each pod."""

from __future__ import annotations

from typing import Any

from podium.config.deploy import Placement, PodResources
from podium.deploy import places, timing
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes import accelerators, mesh, weights
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
from podium.deploy.server_variables import server_variables

_HISTORY = 5
_ONE_MORE = {"maxUnavailable": 0, "maxSurge": 1}
_ONE_LESS = {"maxUnavailable": 1, "maxSurge": 0}


def deployments(plan: Plan) -> list[Manifest]:
    """All of them; none where a copy of the server takes several nodes.

    None says how many pods there are: overlays and scalers do.
    """
    return [_deployment(plan, each) for each in plan.environments] if plan.nodes == 1 else []


def _deployment(plan: Plan, environment: PlannedEnvironment) -> Manifest:
    labels = places.labels("server", environment.name)
    one_less = plan.settings.deploy.strategy == "recreate-one"
    return manifest(
        "apps/v1",
        "Deployment",
        places.server_name(environment.name),
        plan.namespace,
        labels=labels,
        annotations=secrets_elsewhere(plan, environment),
        spec={
            "revisionHistoryLimit": _HISTORY,
            "progressDeadlineSeconds": environment.timings.progress_deadline_seconds,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": _ONE_LESS if one_less else _ONE_MORE},
            "selector": {"matchLabels": labels},
            "template": pod_template(plan, environment, labels, server_container(plan, environment)),
        },
    )


def secrets_elsewhere(plan: Plan, environment: PlannedEnvironment) -> dict[str, str]:
    """The annotation that names secrets which are in no file; empty without any."""
    names = [*([places.REDIS] if plan.own_redis else []), *([places.FILES_SECRET] if environment.has_files else [])]
    if plan.fetches_by_pod and environment.hub_ids:
        names += weights.token_secrets(plan)
    return {places.MADE_ELSEWHERE: " ".join(names)} if names else {}


def pod_template(
    plan: Plan, environment: PlannedEnvironment, labels: dict[str, str], container: dict[str, Any]
) -> dict[str, Any]:
    """A pod with the configuration, the weights and the GPUs of a server, around one container."""
    annotations = {
        places.CONFIG_HASH: digest(environment.config),
        places.LONGEST_STREAM: str(plan.timings.longest_stream_seconds),
        **mesh.of_server(plan),
    }
    return {
        "metadata": {"labels": labels, "annotations": annotations},
        "spec": _pod(plan, environment, labels, container),
    }


def _pod(
    plan: Plan, environment: PlannedEnvironment, labels: dict[str, str], container: dict[str, Any]
) -> dict[str, Any]:
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    before = weights.init_containers(plan, environment)
    return {
        "serviceAccountName": places.APPLICATION,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "terminationGracePeriodSeconds": plan.timings.grace_seconds,
        "topologySpreadConstraints": [spread],
        **accelerators.of_pod(plan),
        **_placed(plan.settings.deploy.placement),
        **({"initContainers": before} if before else {}),
        "containers": [container],
        "volumes": _volumes(plan, environment),
    }


def _placed(given: Placement) -> dict[str, Any]:
    members = {
        "nodeSelector": dict(given.node_selector),
        "priorityClassName": given.priority_class,
        "runtimeClassName": given.runtime_class,
    }
    return {name: value for name, value in members.items() if value}


def server_container(plan: Plan, environment: PlannedEnvironment) -> dict[str, Any]:
    """The container that serves."""
    server = plan.settings.server
    ports = [
        {"name": places.TRAFFIC_PORT, "containerPort": server.port, "protocol": "TCP"},
        {"name": places.ADMIN_PORT, "containerPort": server.admin_port, "protocol": "TCP"},
    ]
    command = ["podium", "serve", "--config", f"{places.CONFIG_FOLDER}/{places.CONFIG_FILE}"]
    hook = {"lifecycle": {"preStop": {"sleep": {"seconds": plan.timings.pre_stop_seconds}}}}
    return model_container(plan, environment, "server", command, [], ports, hook)


def model_container(
    plan: Plan,
    environment: PlannedEnvironment,
    name: str,
    command: list[str],
    env: list[dict[str, Any]],
    ports: list[dict[str, Any]],
    more: dict[str, Any],
) -> dict[str, Any]:
    """A container with a model: the server, or on a further node the engine's share alone."""
    given = plan.settings.deploy.resources
    variables = server_variables(plan.settings.deploy.weights.path if environment.hub_ids else None)
    return {
        "name": name,
        "image": environment.image,
        "imagePullPolicy": "Always",
        "command": command,
        "env": [*({"name": key, "value": value} for key, value in variables.items()), *env],
        "ports": ports,
        **_probes(environment.timings),
        **more,
        "resources": accelerators.of_container(plan, equal_resources(given.cpu, given.memory, given.ephemeral_storage)),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(plan, environment),
    }


def _probes(timings: timing.Timings) -> dict[str, Any]:
    def probe(path: str, period: int, limit: int, failures: int) -> dict[str, Any]:
        get = {"path": path, "port": places.ADMIN_PORT}
        return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": limit, "failureThreshold": failures}

    at_start, alive = timing.STARTUP_PERIOD_SECONDS, timing.LIVENESS_PERIOD_SECONDS
    limit = timing.LIVENESS_TIMEOUT_SECONDS
    return {
        "startupProbe": probe("/startupz", at_start, limit, timings.startup_failures),
        "livenessProbe": probe("/livez", alive, limit, timings.liveness_failures),
        "readinessProbe": probe(
            "/readyz", timing.READINESS_PERIOD_SECONDS, timing.READINESS_TIMEOUT_SECONDS, timing.READINESS_FAILURES
        ),
    }


def _mounts(plan: Plan, environment: PlannedEnvironment) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": places.CONFIG_FOLDER, "readOnly": True},
        {"name": "cache", "mountPath": places.CACHE_FOLDER},
        {"name": "temporary", "mountPath": places.TEMPORARY_FOLDER},
    ]
    if plan.own_redis:
        mounts.append({"name": "redis-password", "mountPath": places.REDIS_FOLDER, "readOnly": True})
    if environment.has_files:
        mounts.append({"name": "files", "mountPath": places.FILES_FOLDER, "readOnly": True})
    if environment.mounts_weights:
        mounts.append({"name": "weights", "mountPath": plan.settings.deploy.weights.path, "readOnly": True})
    if _shares_memory(plan):
        mounts.append({"name": "shared-memory", "mountPath": places.SHARED_MEMORY_FOLDER})
    return mounts


def _volumes(plan: Plan, environment: PlannedEnvironment) -> list[dict[str, Any]]:
    given = plan.settings.deploy.resources
    volumes: list[dict[str, Any]] = [
        {"name": "config", "configMap": {"name": environment.config_map}},
        empty_volume("cache", given.cache),
        empty_volume("temporary", given.temporary),
    ]
    if plan.own_redis:
        volumes.append(secret_volume("redis-password", places.REDIS, (places.REDIS_PASSWORD,)))
    if environment.has_files:
        volumes.append(secret_volume("files", places.FILES_SECRET))
    if environment.mounts_weights:
        volumes.append({"name": "weights", **_weights(plan, environment)})
    if plan.fetches_by_pod and environment.hub_ids:
        volumes += weights.token_volumes(plan)
    if _shares_memory(plan):
        volumes.append(_shared_memory(given))
    return volumes


def _weights(plan: Plan, environment: PlannedEnvironment) -> dict[str, Any]:
    if plan.fetches_by_pod:
        return {"emptyDir": {"sizeLimit": plan.settings.deploy.weights.size}}
    if not plan.claims_weights:
        return {"image": {"reference": environment.weights_image, "pullPolicy": "IfNotPresent"}}
    return {"persistentVolumeClaim": {"claimName": places.WEIGHTS, "readOnly": True}}


def _shares_memory(plan: Plan) -> bool:
    return plan.profile == "gpu" and plan.settings.deploy.accelerators.per_pod > 1


def _shared_memory(given: PodResources) -> dict[str, Any]:
    return empty_volume("shared-memory", given.shared_memory, medium="Memory")
