"""The controller of the gateways, one pod, because one writes the history of rollouts; and what it may ask."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.container import (
    CONTAINER_SECURITY,
    account_volume,
    empty_volume,
    equal_resources,
    pod_security,
    secret_volume,
)
from podium.deploy.kubernetes.gateway import ATTEMPTS_LOG, config_volume, process_environment
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.deploy.pod_settings import digest

_GRACE_SECONDS = 30


def controllers(plan: Plan) -> list[Manifest]:
    """One, where gateways of ours split traffic."""
    if not plan.own_gateways:
        return []
    labels = places.labels("controller")
    made_elsewhere = [*([places.REDIS] if plan.own_redis else []), *([places.FILES_SECRET] if plan.has_files else [])]
    state = {
        "metadata": {"name": "state"},
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": plan.settings.deploy.gateway.storage}},
        },
    }
    annotations = {places.CONFIG_HASH: digest(plan.gateway_config), places.LONGEST_STREAM: "0"}  # none passes it
    metadata = {"labels": labels, "annotations": annotations}
    return [
        manifest(
            "apps/v1",
            "StatefulSet",
            places.CONTROLLER,
            plan.namespace,
            labels=labels,
            annotations={places.MADE_ELSEWHERE: " ".join(made_elsewhere)} if made_elsewhere else None,
            spec={
                "replicas": 1,
                "serviceName": places.CONTROLLER,
                "selector": {"matchLabels": labels},
                "template": {"metadata": metadata, "spec": _pod(plan)},
                "volumeClaimTemplates": [state],
            },
        )
    ]


def roles(plan: Plan) -> list[Manifest]:
    """The right to see which pods are behind Services, in this namespace. Nothing can be changed with it."""
    if not plan.own_gateways:
        return []
    rule = {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]}
    return [
        manifest("rbac.authorization.k8s.io/v1", "Role", places.CONTROLLER, plan.namespace, rules=[rule]),
    ]


def role_bindings(plan: Plan) -> list[Manifest]:
    """Who has it."""
    if not plan.own_gateways:
        return []
    return [
        manifest(
            "rbac.authorization.k8s.io/v1",
            "RoleBinding",
            places.CONTROLLER,
            plan.namespace,
            roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": places.CONTROLLER},
            subjects=[{"kind": "ServiceAccount", "name": places.CONTROLLER, "namespace": plan.namespace}],
        )
    ]


def _pod(plan: Plan) -> dict[str, Any]:
    return {
        "serviceAccountName": places.CONTROLLER,
        "automountServiceAccountToken": False,  # it is mounted below, for this container and for an hour
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "containers": [_container(plan)],
        "volumes": _volumes(plan),
    }


def _container(plan: Plan) -> dict[str, Any]:
    given = plan.settings.deploy.gateway
    return {
        "name": "controller",
        "image": plan.settings.deploy.image,
        "imagePullPolicy": "Always",
        "command": [
            "python",
            "-m",
            "podium.controller.in_cluster",
            f"--config={places.CONFIG_FOLDER}/{places.CONFIG_FILE}",
            f"--folder={places.STATE_FOLDER}",
            f"--account={places.ACCOUNT_FOLDER}",
            f"--discovery=0.0.0.0:{given.discovery_port}",
            f"--gateways={places.APPLICATION}",
            f"--status-port={given.status_port}",
            f"--gateway-log={ATTEMPTS_LOG}",
            *([f"--scraped=0.0.0.0:{given.status_port}"] if plan.monitored else []),
        ],
        "env": process_environment(),
        "ports": _ports(plan),
        "startupProbe": _probe(given.discovery_port, failures=60),
        "livenessProbe": _probe(given.discovery_port, failures=6),
        "readinessProbe": _probe(given.discovery_port, failures=2),
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "resources": equal_resources("500m", "512Mi", "256Mi"),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": _mounts(plan),
    }


def _ports(plan: Plan) -> list[dict[str, Any]]:
    """Who changes something is on loopback; what a Prometheus reads is where gateways tell how they are."""
    given = plan.settings.deploy.gateway
    ports = {places.DISCOVERY_PORT: given.discovery_port}
    if plan.monitored:
        ports[places.ADMIN_PORT] = given.status_port
    return [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in ports.items()]


def _probe(port: int, *, failures: int) -> dict[str, Any]:
    """GRPC's own health question, to the loop that feeds gateways; the control routes are on loopback."""
    return {"grpc": {"port": port}, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": failures}


def _mounts(plan: Plan) -> list[dict[str, Any]]:
    mounts: list[dict[str, Any]] = [
        {"name": "config", "mountPath": places.CONFIG_FOLDER, "readOnly": True},
        {"name": "state", "mountPath": places.STATE_FOLDER},
        {"name": "account", "mountPath": places.ACCOUNT_FOLDER, "readOnly": True},
        {"name": "temporary", "mountPath": places.TEMPORARY_FOLDER},
    ]
    if plan.own_redis:
        mounts.append({"name": "redis-password", "mountPath": places.REDIS_FOLDER, "readOnly": True})
    if plan.has_files:
        mounts.append({"name": "files", "mountPath": places.FILES_FOLDER, "readOnly": True})
    return mounts


def _volumes(plan: Plan) -> list[dict[str, Any]]:
    volumes = [config_volume(), account_volume(), empty_volume("temporary", "64Mi")]
    if plan.own_redis:
        volumes.append(secret_volume("redis-password", places.REDIS, (places.REDIS_PASSWORD,)))
    if plan.has_files:
        volumes.append(secret_volume("files", places.FILES_SECRET))
    return volumes
