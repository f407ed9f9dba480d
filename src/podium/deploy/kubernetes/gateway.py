"""The gateways: a Deployment of Envoys that the controller feeds. Each lets its streams finish before it goes."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.gateway_settings import gateway_drain_seconds, listen_port
from podium.deploy.kubernetes import mesh
from podium.deploy.kubernetes.container import CONTAINER_SECURITY, empty_volume, equal_resources, pod_security
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.deploy.pod_settings import digest
from podium.deploy.server_variables import process_variables

_HISTORY = 5
_START_PERIOD_SECONDS = 2
_START_FAILURES = 60
_DEADLINE_SECONDS = 600
ATTEMPTS_LOG = f"{places.RUN_FOLDER}/attempts.jsonl"


def gateway_deployments(plan: Plan) -> list[Manifest]:
    """One, where gateways of ours split traffic. Overlays say how many pods."""
    if not plan.own_gateways:
        return []
    labels = places.labels("gateway")
    annotations = {
        places.CONFIG_HASH: digest(_read_at_start(plan)),
        places.LONGEST_STREAM: str(plan.timings.longest_stream_seconds),
        **mesh.of_gateway(plan, gateway_grace_seconds(plan)),
    }
    return [
        manifest(
            "apps/v1",
            "Deployment",
            places.GATEWAY,
            plan.namespace,
            labels=labels,
            spec={
                "revisionHistoryLimit": _HISTORY,
                "progressDeadlineSeconds": _DEADLINE_SECONDS,
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1}},
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels, "annotations": annotations}, "spec": _pod(plan, labels)},
            },
        )
    ]


def gateway_grace_seconds(plan: Plan) -> int:
    """From a gateway's deletion to its SIGKILL."""
    margin = plan.settings.deploy.timing.stop_margin_seconds
    return plan.timings.pre_stop_seconds + int(gateway_drain_seconds(plan.settings)) + margin


def process_environment() -> list[dict[str, str]]:
    """Where a process of ours without a model may write."""
    return [{"name": name, "value": value} for name, value in process_variables().items()]


def config_volume() -> dict[str, Any]:
    """The configuration of gateways and controller."""
    return {"name": "config", "configMap": {"name": places.GATEWAY_CONFIG}}


def _read_at_start(plan: Plan) -> str:
    """What a gateway takes from its configuration; the controller tells it the rest, without a restart."""
    gateway = plan.settings.gateway
    return f"{gateway.max_connections} {gateway.envoy_threads} {gateway_drain_seconds(plan.settings)}"


def _pod(plan: Plan, labels: dict[str, str]) -> dict[str, Any]:
    spread = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    return {
        "serviceAccountName": places.GATEWAY,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "terminationGracePeriodSeconds": gateway_grace_seconds(plan),
        "topologySpreadConstraints": [spread],
        "containers": [_container(plan)],
        "volumes": [config_volume(), empty_volume("run", "512Mi"), empty_volume("temporary", "64Mi")],
    }


def _container(plan: Plan) -> dict[str, Any]:
    given = plan.settings.deploy.gateway
    return {
        "name": "gateway",
        "image": plan.settings.deploy.image,
        "imagePullPolicy": "Always",
        "command": [
            "python",
            "-m",
            "podium.supervisor.gateway_pod",
            f"--config={places.CONFIG_FOLDER}/{places.CONFIG_FILE}",
            f"--folder={places.RUN_FOLDER}",
            f"--controller={places.CONTROLLER}:{given.discovery_port}",
            f"--status=0.0.0.0:{given.status_port}",
        ],
        "env": process_environment(),
        "ports": [
            {"name": places.TRAFFIC_PORT, "containerPort": listen_port(plan.settings), "protocol": "TCP"},
            {"name": places.ADMIN_PORT, "containerPort": given.status_port, "protocol": "TCP"},
        ],
        "startupProbe": _probe("/startupz", _START_PERIOD_SECONDS, 5, _START_FAILURES),
        "livenessProbe": _probe("/livez", 5, 5, 6),
        "readinessProbe": _probe("/readyz", 2, 2, 2),
        "lifecycle": {"preStop": {"sleep": {"seconds": plan.timings.pre_stop_seconds}}},
        "resources": equal_resources(given.cpu, given.memory, "1Gi"),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "config", "mountPath": places.CONFIG_FOLDER, "readOnly": True},
            {"name": "run", "mountPath": places.RUN_FOLDER},
            {"name": "temporary", "mountPath": places.TEMPORARY_FOLDER},
        ],
    }


def _probe(path: str, period: int, limit: int, failures: int) -> dict[str, Any]:
    get = {"path": path, "port": places.ADMIN_PORT}
    return {"httpGet": get, "periodSeconds": period, "timeoutSeconds": limit, "failureThreshold": failures}
