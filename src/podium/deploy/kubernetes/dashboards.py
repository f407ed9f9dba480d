"""Grafana's dashboard as a ConfigMap, which Grafana's sidecar finds by its label."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan
from podium.deploy.prometheus.files import dashboard_text

LABEL = "grafana_dashboard"
FILE = "podium.json"


def dashboards(plan: Plan) -> list[Manifest]:
    """One, where Prometheus is told of the pods. It asks for its data source when it is opened."""
    if not (plan.monitored and plan.settings.deploy.dashboards):
        return []
    return [
        manifest(
            "v1", "ConfigMap", places.DASHBOARDS, plan.namespace, labels={LABEL: "1"}, data={FILE: dashboard_text()}
        )
    ]
