"""The ConfigMaps with the pods' ``podium.yaml``; what is secret is in files of its own."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan


def config_maps(plan: Plan, *, judged: bool = False) -> list[Manifest]:
    """One for servers, one for gateways and who controls or judges: who changes weights restarts no server."""
    texts = {places.CONFIG_MAP: plan.config}
    if plan.own_gateways or judged:
        texts[places.GATEWAY_CONFIG] = plan.gateway_config
    return [
        manifest("v1", "ConfigMap", name, plan.namespace, data={places.CONFIG_FILE: text})
        for name, text in texts.items()
    ]
