"""ScaledObjects of KEDA: pods follow the requests that run or wait, for each ready pod."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes import groups
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.telemetry import table

GAUGES = (table.MODEL_RUNNING.name, table.MODEL_WAITING.name)
WINDOW = "1m"  # a gauge read at one moment flaps
_POLL_SECONDS = 5
_FAILURES = 3
_DOWN_PERIOD_SECONDS = 120
_UP_PERIOD_SECONDS = 15


def scaled_objects(plan: Plan) -> list[Manifest]:
    """One for each environment that has pods in production."""
    if plan.settings.deploy.autoscaling.kind != "keda":
        return []
    return [_scaled_object(plan, each) for each in plan.environments if each.replicas]


def load_query(namespace: str, environment: str) -> str:
    """Requests that run or wait in an environment's pods, by the labels that the PodMonitor brings."""
    where = f'{{namespace="{namespace}",environment="{environment}"}}'
    return " + ".join(f"sum(avg_over_time({gauge}{where}[{WINDOW}]))" for gauge in GAUGES)


def _scaled_object(plan: Plan, environment: PlannedEnvironment) -> Manifest:
    name = places.server_name(environment.name)
    return manifest(
        "keda.sh/v1alpha1",
        "ScaledObject",
        name,
        plan.namespace,
        spec={
            "scaleTargetRef": target(plan, environment),
            "minReplicaCount": environment.replicas,
            "maxReplicaCount": environment.max_replicas,
            "pollingInterval": _POLL_SECONDS,
            "fallback": {"failureThreshold": _FAILURES, "replicas": _safe(environment)},
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": behavior(plan)}},
            "triggers": [_trigger(plan, environment)],
        },
    )


def target(plan: Plan, environment: PlannedEnvironment) -> dict[str, str]:
    """What is scaled: pods, or groups of them."""
    api, kind = (groups.API, groups.KIND) if plan.nodes > 1 else ("apps/v1", "Deployment")
    return {"apiVersion": api, "kind": kind, "name": places.server_name(environment.name)}


def _safe(environment: PlannedEnvironment) -> int:
    """Pods while the metric is missing: halfway, since nobody knows the load."""
    return (environment.replicas + environment.max_replicas + 1) // 2


def behavior(plan: Plan) -> dict[str, Any]:
    """One pod at a time: up at once, down when load was low for as long as the longest stream."""
    one_pod = {"type": "Pods", "value": 1}
    return {
        "scaleUp": {"stabilizationWindowSeconds": 0, "policies": [{**one_pod, "periodSeconds": _UP_PERIOD_SECONDS}]},
        "scaleDown": {
            "stabilizationWindowSeconds": plan.timings.scale_down_seconds,
            "policies": [{**one_pod, "periodSeconds": _DOWN_PERIOD_SECONDS}],
        },
    }


def threshold(plan: Plan, environment: PlannedEnvironment) -> int:
    """Requests that one pod of it is meant to have, running or waiting."""
    return max(1, int(plan.running_slots(environment) * plan.settings.deploy.autoscaling.fill_ratio))


def _trigger(plan: Plan, environment: PlannedEnvironment) -> dict[str, Any]:
    given = plan.settings.deploy.autoscaling
    return {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {  # all of them texts
            "serverAddress": given.prometheus,
            "query": load_query(plan.namespace, environment.name),
            "threshold": str(threshold(plan, environment)),
            "ignoreNullValues": "false",  # no data is an error and not zero load
        },
    }
