"""PodDisruptionBudgets: a drained node takes one pod of an environment at a time, and a broken pod stops nobody."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan


def disruption_budgets(plan: Plan) -> list[Manifest]:
    """One for each environment, and one for gateways of ours."""
    found = {places.server_name(each.name): places.labels("server", each.name) for each in plan.environments}
    if plan.own_gateways:
        found[places.GATEWAY] = places.labels("gateway")
    return [
        manifest(
            "policy/v1",
            "PodDisruptionBudget",
            name,
            plan.namespace,
            spec={
                "maxUnavailable": 1,
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
                "selector": {"matchLabels": labels},
            },
        )
        for name, labels in found.items()
    ]
