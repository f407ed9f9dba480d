"""PodMonitors: how the Prometheus operator finds and reads the pods' metrics."""

from __future__ import annotations

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
    return [
        manifest(
            "monitoring.coreos.com/v1",
            "PodMonitor",
            places.APPLICATION,
            plan.namespace,
            annotations=annotations,
            spec=spec,
        )
    ]
