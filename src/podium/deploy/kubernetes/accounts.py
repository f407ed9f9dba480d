"""ServiceAccounts without a token: nothing of ours talks to the API server."""

from __future__ import annotations

from podium.deploy import places
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan


def service_accounts(plan: Plan) -> list[Manifest]:
    """One for each kind of pod that stays."""
    names = [places.APPLICATION, *([places.REDIS] if plan.own_redis else [])]
    return [service_account(name, plan.namespace) for name in names]


def service_account(name: str, namespace: str) -> Manifest:
    """One of them."""
    return manifest("v1", "ServiceAccount", name, namespace, automountServiceAccountToken=False)
