"""The ConfigMaps with the pods' ``podium.yaml``; what is secret is in files of its own."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan


def config_maps(plan: Plan, *, judged: bool = False) -> list[Manifest]:
    """For servers, for environments with models of their own, and for gateways and who controls or judges.

    So neither a change of weights nor another environment's new model restarts a server.
    """
    texts = {each.config_map: each.config for each in plan.environments}
    if plan.own_gateways or judged:
        texts[places.GATEWAY_CONFIG] = plan.gateway_config
    return [
        manifest("v1", "ConfigMap", name, plan.namespace, data={places.CONFIG_FILE: text})
        for name, text in texts.items()
    ]
