"""HorizontalPodAutoscalers over the Prometheus adapter: the same signal as KEDA's, for clusters without it."""

from __future__ import annotations

from typing import Any

import yaml

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes.autoscaling import GAUGES, WINDOW, behavior, target, threshold
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

METRIC = "podium_load"
RULES = "podium-adapter-rules"


def autoscalers(plan: Plan) -> list[Manifest]:
    """One for each environment that has pods in production. Without the metric it leaves the number as it is."""
    if plan.settings.deploy.autoscaling.kind != "hpa":
        return []
    return [_autoscaler(plan, each) for each in plan.environments if each.replicas]


def adapter_rules(plan: Plan) -> list[Manifest]:
    """What the adapter must be told, to be merged into its own configuration: it reads one file for the cluster."""
    if plan.settings.deploy.autoscaling.kind != "hpa":
        return []
    running, waiting = (
        f"sum(avg_over_time({gauge}{{<<.LabelMatchers>>}}[{WINDOW}])) by (<<.GroupBy>>)" for gauge in GAUGES
    )
    rule = {
        "seriesQuery": f'{GAUGES[0]}{{namespace!="",environment!=""}}',
        "resources": {"overrides": {"namespace": {"resource": "namespace"}}},
        "name": {"as": METRIC},
        "metricsQuery": f"{running} + {waiting}",
    }
    text = yaml.safe_dump({"externalRules": [rule]}, sort_keys=False, width=110)
    return [manifest("v1", "ConfigMap", RULES, plan.namespace, data={"config.yaml": text})]


def _autoscaler(plan: Plan, environment: PlannedEnvironment) -> Manifest:
    name = places.server_name(environment.name)
    metric: dict[str, Any] = {
        "type": "External",
        "external": {
            "metric": {"name": METRIC, "selector": {"matchLabels": {"environment": environment.name}}},
            "target": {"type": "AverageValue", "averageValue": str(threshold(plan, environment))},
        },
    }
    spec = {
        "scaleTargetRef": target(plan, environment),
        "minReplicas": environment.replicas,
        "maxReplicas": environment.max_replicas,
        "metrics": [metric],
        "behavior": behavior(plan),
    }
    return manifest("autoscaling/v2", "HorizontalPodAutoscaler", name, plan.namespace, spec=spec)
