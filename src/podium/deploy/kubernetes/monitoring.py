"""PodMonitors: how the Prometheus operator finds and reads the pods' metrics."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

TOKEN_KEY = "token"  # noqa: S105 - a key of the secret
_ELSEWHERE = {places.MADE_ELSEWHERE: places.METRICS_SECRET}


def pod_monitors(plan: Plan) -> list[Manifest]:
    """One for all environments; each series gets the label ``environment``, which the scaler asks for."""
    if not plan.monitored:
        return []
    label = places.ENVIRONMENT_LABEL.replace("/", "_")
    endpoint = {
        **_with_key("/metrics"),
        "relabelings": [
            {
                "sourceLabels": [f"__meta_kubernetes_pod_label_{label}"],
                "targetLabel": "environment",
                "action": "replace",
            }
        ],
    }
    spec = {"selector": {"matchLabels": places.labels("server")}, "podMetricsEndpoints": [endpoint]}
    servers = _monitor(plan, places.APPLICATION, spec, annotations=_ELSEWHERE)
    return [servers, _of_gateways(plan), _of_controller(plan)] if plan.own_gateways else [servers]


def _of_gateways(plan: Plan) -> Manifest:
    """Envoy's own figures, which need no key: its status port changes nothing, and a policy says who reaches it."""
    endpoint = {
        "port": places.ADMIN_PORT,
        "path": "/stats/prometheus",
        "params": {"usedonly": [""]},
        "interval": "15s",
    }
    spec = {"selector": {"matchLabels": places.labels("gateway")}, "podMetricsEndpoints": [endpoint]}
    return _monitor(plan, places.GATEWAY, spec)


def _of_controller(plan: Plan) -> Manifest:
    """What only the controller knows: what gateways refused, what waits for somebody, the verdicts of its monitor."""
    selector = {"matchLabels": places.labels("controller")}
    spec = {"selector": selector, "podMetricsEndpoints": [_with_key("/monitoring/metrics")]}
    return _monitor(plan, places.CONTROLLER, spec, annotations=_ELSEWHERE)


def _with_key(path: str) -> dict[str, Any]:
    credentials = {"name": places.METRICS_SECRET, "key": TOKEN_KEY}
    return {
        "port": places.ADMIN_PORT,
        "path": path,
        "interval": "15s",
        "authorization": {"type": "Bearer", "credentials": credentials},
    }


def _monitor(plan: Plan, name: str, spec: dict[str, Any], **metadata: Any) -> Manifest:
    labels = plan.settings.deploy.monitoring_labels
    return manifest(
        "monitoring.coreos.com/v1", "PodMonitor", name, plan.namespace, labels=labels, **metadata, spec=spec
    )
