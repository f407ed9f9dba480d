"""Argo Rollouts: a Rollout in the Deployment's place, and an analysis that asks for Podium's verdict."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.deployment import deployments
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.kubernetes.verdict import url
from podium.deploy.plan import Plan

API = "argoproj.io/v1alpha1"
TEMPLATE = "podium-verdict"
GUARD = "podium-rollback"
PLUGIN = "argoproj-labs/gatewayAPI"
_WHOLE = 100
_PATIENCE = 1_000_000
"""Looks without a verdict, and errors in a row, before the analysis itself gives up: holding is no failure."""


def rollout(plan: Plan, *, canary: str, route: str) -> Manifest:
    """The one environment as a Rollout. Streams of the old version have their full time after the change."""
    (deployment,) = deployments(plan)
    (environment,) = plan.environments
    stay = plan.timings.longest_stream_seconds + plan.timings.pre_stop_seconds
    spec: dict[str, Any] = {name: value for name, value in deployment["spec"].items() if name != "strategy"}
    strategy = {
        "canaryService": canary,
        "stableService": places.server_name(environment.name),
        "trafficRouting": {"plugins": {PLUGIN: {"httpRoute": route, "namespace": plan.namespace}}},
        "scaleDownDelaySeconds": stay,
        "abortScaleDownDelaySeconds": stay,
        "analysis": {"templates": [{"templateName": GUARD}]},
        "steps": _steps(plan),
        **deployment["spec"]["strategy"]["rollingUpdate"],
    }
    replicas = {} if plan.scaled else {"replicas": environment.replicas}
    return {
        **deployment,
        "apiVersion": API,
        "kind": "Rollout",
        "spec": {**replicas, **spec, "strategy": {"canary": strategy}},
    }


def analysis_templates(plan: Plan) -> list[Manifest]:
    """What a step waits for, and what aborts at any time: also while the next step's pods load, which takes minutes."""
    asked = {
        "interval": f"{max(1, round(plan.settings.rollout.interval_seconds))}s",
        "failureCondition": 'result == "ROLLBACK"',
        "failureLimit": 0,
        "consecutiveErrorLimit": _PATIENCE,
        "provider": {"web": {"url": url(plan, "/verdict"), "timeoutSeconds": 5, "jsonPath": "{$.verdict}"}},
    }
    until_advance = {
        "name": "verdict",
        **asked,
        "count": _PATIENCE,  # without one, a step's analysis is refused
        "successCondition": 'result == "ADVANCE"',
        "consecutiveSuccessLimit": 1,
        "inconclusiveLimit": _PATIENCE,
    }
    return [
        _template(plan, TEMPLATE, until_advance),  # ADVANCE ends it well, ROLLBACK badly, HOLD not at all
        _template(plan, GUARD, {"name": "rollback", **asked}),  # without a count it lasts for as long as the rollout
    ]


def _template(plan: Plan, name: str, metric: dict[str, Any]) -> Manifest:
    return manifest(API, "AnalysisTemplate", name, plan.namespace, spec={"metrics": [metric]})


def _steps(plan: Plan) -> list[dict[str, Any]]:
    """Each share, held until the verdict; the last one is Argo's own end."""
    asked = {"analysis": {"templates": [{"templateName": TEMPLATE}]}}
    shares = [int(share) for share in plan.settings.rollout.steps if share < _WHOLE]
    return [step for share in shares for step in ({"setWeight": share}, asked)]
