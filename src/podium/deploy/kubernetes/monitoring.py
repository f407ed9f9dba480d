"""PodMonitors: how the Prometheus operator finds and reads the pods' metrics."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

TOKEN_KEY = "token"  # noqa: S105 - a key of the secret


def pod_monitors(plan: Plan) -> list[Manifest]:
    """One for all environments; each series gets the label ``environment``, which the scaler asks for."""
    if not plan.monitored:
        return []
    label = places.ENVIRONMENT_LABEL.replace("/", "_")
    endpoint = {
        "port": places.ADMIN_PORT,
        "path": "/metrics",
        "interval": "15s",
        "authorization": {"type": "Bearer", "credentials": {"name": places.METRICS_SECRET, "key": TOKEN_KEY}},
        "relabelings": [
            {
                "sourceLabels": [f"__meta_kubernetes_pod_label_{label}"],
                "targetLabel": "environment",
                "action": "replace",
            }
        ],
    }
    spec = {"selector": {"matchLabels": places.labels("server")}, "podMetricsEndpoints": [endpoint]}
    annotations = {places.MADE_ELSEWHERE: places.METRICS_SECRET}
    servers = _monitor(plan, places.APPLICATION, spec, annotations=annotations)
    return [servers, _of_gateways(plan)] if plan.own_gateways else [servers]


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


def _monitor(plan: Plan, name: str, spec: dict[str, Any], **metadata: Any) -> Manifest:
    labels = plan.settings.deploy.monitoring_labels
    return manifest(
        "monitoring.coreos.com/v1", "PodMonitor", name, plan.namespace, labels=labels, **metadata, spec=spec
    )
