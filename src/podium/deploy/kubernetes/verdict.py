"""The pod that tells the verdict on a canary whose traffic Argo Rollouts or Flagger move."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.accounts import service_account
from podium.deploy.kubernetes.container import (
    CONTAINER_SECURITY,
    account_volume,
    empty_volume,
    equal_resources,
    pod_security,
    secret_volume,
)
from podium.deploy.kubernetes.gateway import config_volume, process_environment
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.kubernetes.monitoring import TOKEN_KEY
from podium.deploy.plan import Plan
from podium.deploy.pod_settings import digest

PORT = 8002
_GRACE_SECONDS = 30


@dataclass(frozen=True)
class Watched:
    """What it looks at: two Services, and the HTTPRoute that leads to both."""

    stable: str
    canary: str
    route: str


def verdict_objects(plan: Plan, watched: Watched) -> dict[str, list[Manifest]]:
    """Everything of that pod, by file."""
    labels = places.labels("verdict")
    ports = [{"name": "http", "port": PORT, "targetPort": "http", "protocol": "TCP"}]
    service = {"type": "ClusterIP", "selector": labels, "ports": ports}
    return {
        "deployment": [_deployment(plan, watched, labels)],
        "service": [manifest("v1", "Service", places.VERDICT, plan.namespace, labels=labels, spec=service)],
        "serviceaccount": [service_account(plan, places.VERDICT)],
        "role": [_role(plan, watched)],
        "rolebinding": [_binding(plan)],
    }


def url(plan: Plan, path: str) -> str:
    """Where it is asked from another namespace."""
    return f"http://{places.VERDICT}.{plan.namespace}.svc:{PORT}{path}"


def _role(plan: Plan, watched: Watched) -> Manifest:
    rules = [
        {"apiGroups": ["discovery.k8s.io"], "resources": ["endpointslices"], "verbs": ["list", "watch"]},
        {
            "apiGroups": ["gateway.networking.k8s.io"],
            "resources": ["httproutes"],
            "resourceNames": [watched.route],
            "verbs": ["get"],
        },
    ]
    return manifest("rbac.authorization.k8s.io/v1", "Role", places.VERDICT, plan.namespace, rules=rules)


def _binding(plan: Plan) -> Manifest:
    return manifest(
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        places.VERDICT,
        plan.namespace,
        roleRef={"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": places.VERDICT},
        subjects=[{"kind": "ServiceAccount", "name": places.VERDICT, "namespace": plan.namespace}],
    )


def _deployment(plan: Plan, watched: Watched, labels: dict[str, str]) -> Manifest:
    annotations = {places.CONFIG_HASH: digest(plan.gateway_config), places.LONGEST_STREAM: "0"}
    return manifest(
        "apps/v1",
        "Deployment",
        places.VERDICT,
        plan.namespace,
        labels=labels,
        annotations={places.MADE_ELSEWHERE: places.METRICS_SECRET},
        spec={
            "replicas": 1,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0}},
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": _pod(plan, watched)},
        },
    )


def _pod(plan: Plan, watched: Watched) -> dict[str, Any]:
    return {
        "serviceAccountName": places.VERDICT,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "terminationGracePeriodSeconds": _GRACE_SECONDS,
        "containers": [_container(plan, watched)],
        "volumes": [
            config_volume(),
            account_volume(),
            secret_volume("metrics-key", places.METRICS_SECRET, (TOKEN_KEY,)),
            empty_volume("temporary", "64Mi"),
        ],
    }


def _container(plan: Plan, watched: Watched) -> dict[str, Any]:
    return {
        "name": "verdict",
        "image": plan.settings.deploy.image,
        "imagePullPolicy": "Always",
        "command": [
            "python",
            "-m",
            "podium.controller.verdict_server",
            f"--config={places.CONFIG_FOLDER}/{places.CONFIG_FILE}",
            f"--account={places.ACCOUNT_FOLDER}",
            f"--route={watched.route}",
            f"--stable={watched.stable}",
            f"--canary={watched.canary}",
            f"--admin-port={plan.settings.server.admin_port}",
            f"--key-file={places.METRICS_FOLDER}/{TOKEN_KEY}",
            f"--listen=0.0.0.0:{PORT}",
        ],
        "env": process_environment(),
        "ports": [{"name": "http", "containerPort": PORT, "protocol": "TCP"}],
        "startupProbe": _probe("/startupz", failures=30),
        "livenessProbe": _probe("/livez", failures=6),
        "readinessProbe": _probe("/readyz", failures=2),
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "resources": equal_resources("250m", "256Mi", "128Mi"),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "config", "mountPath": places.CONFIG_FOLDER, "readOnly": True},
            {"name": "account", "mountPath": places.ACCOUNT_FOLDER, "readOnly": True},
            {"name": "metrics-key", "mountPath": places.METRICS_FOLDER, "readOnly": True},
            {"name": "temporary", "mountPath": places.TEMPORARY_FOLDER},
        ],
    }


def _probe(path: str, *, failures: int) -> dict[str, Any]:
    get = {"path": path, "port": "http"}
    return {"httpGet": get, "periodSeconds": 5, "timeoutSeconds": 5, "failureThreshold": failures}
