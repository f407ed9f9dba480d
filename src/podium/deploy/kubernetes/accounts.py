"""ServiceAccounts without a token: only the controller talks to the API server, with one that its pod mounts itself."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan


def service_accounts(plan: Plan) -> list[Manifest]:
    """One for each kind of pod that stays."""
    names = [places.APPLICATION, *([places.REDIS] if plan.own_redis else [])]
    if plan.own_gateways:
        names += [places.GATEWAY, places.CONTROLLER]
    return [service_account(plan, name) for name in names]


def service_account(plan: Plan, name: str) -> Manifest:
    """One of them. Pods that run as it pull their images with the secrets that it names."""
    secrets = [{"name": each} for each in plan.settings.deploy.image_pull_secrets]
    pulling = {"imagePullSecrets": secrets} if secrets else {}
    return manifest("v1", "ServiceAccount", name, plan.namespace, automountServiceAccountToken=False, **pulling)
