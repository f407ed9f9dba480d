"""Argo Rollouts: a Rollout in the Deployment's place, and an analysis that asks for Podium's verdict."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.environments import PlannedEnvironment
from podium.deploy.kubernetes.deployment import deployments
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.kubernetes.verdict import url
from podium.deploy.plan import Plan
from podium.deploy.pod_settings import digest

API = "argoproj.io/v1alpha1"
TEMPLATE = "podium-verdict"
GUARD = "podium-rollback"
PLUGIN = "argoproj-labs/gatewayAPI"
_WHOLE = 100
_DIGITS = 10
_KEPT = {"argocd.argoproj.io/sync-options": "Prune=false", "kustomize.toolkit.fluxcd.io/prune": "disabled"}
_PATIENCE = 1_000_000
"""Looks without a verdict, and errors in a row, before the analysis itself gives up: holding is no failure."""


def rollout(plan: Plan, *, canary: str, route: str) -> Manifest:
    """The one environment as a Rollout. Streams of the old version have their full time after the change."""
    (deployment,) = deployments(plan)
    (environment,) = plan.environments
    stay = plan.timings.longest_stream_seconds + plan.timings.pre_stop_seconds
    spec: dict[str, Any] = {name: value for name, value in deployment["spec"].items() if name != "strategy"}
    spec["template"] = _reading(spec["template"], config_name(environment))
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


def config_name(environment: PlannedEnvironment) -> str:
    """Name of its configuration with that text: each version's pods keep their own."""
    return f"{environment.config_map}-{digest(environment.config)[:_DIGITS]}"


def config_maps(plan: Plan, found: list[Manifest]) -> list[Manifest]:
    """``found`` with the servers' configuration under a name of its own.

    A pod of the old version that starts while the new one is judged, or after it was given up, would read the new
    configuration otherwise, and so be the new version itself. Tools that prune leave it: old pods need it for a while.
    """
    (environment,) = plan.environments
    kept = [each for each in found if each["metadata"]["name"] != environment.config_map]
    data = {places.CONFIG_FILE: environment.config}
    name = config_name(environment)
    own = manifest("v1", "ConfigMap", name, plan.namespace, annotations=_KEPT, immutable=True, data=data)
    return [own, *kept]


def _reading(template: dict[str, Any], config: str) -> dict[str, Any]:
    pod = template["spec"]
    volumes = [{**each, "configMap": {"name": config}} if each["name"] == "config" else each for each in pod["volumes"]]
    return {**template, "spec": {**pod, "volumes": volumes}}


def _template(plan: Plan, name: str, metric: dict[str, Any]) -> Manifest:
    return manifest(API, "AnalysisTemplate", name, plan.namespace, spec={"metrics": [metric]})


def _steps(plan: Plan) -> list[dict[str, Any]]:
    """Each share, held until the verdict; the last one is Argo's own end."""
    asked = {"analysis": {"templates": [{"templateName": TEMPLATE}]}}
    shares = [int(share) for share in plan.settings.rollout.steps if share < _WHOLE]
    return [step for share in shares for step in ({"setWeight": share}, asked)]
