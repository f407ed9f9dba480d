"""What every container and every pod of ours has in common: the Pod Security standard `restricted`, and ours on top."""

from __future__ import annotations

from typing import Any

from podium.deploy import places

_TOKEN_SECONDS = 3600  # the cluster renews it before
CONTAINER_SECURITY: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def pod_security() -> dict[str, Any]:
    """Whose processes these are. Files of a claim become readable without a slow change of owner at each start."""
    return {
        "runAsNonRoot": True,
        "runAsUser": places.USER_ID,
        "runAsGroup": places.USER_ID,
        "fsGroup": places.USER_ID,
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def equal_resources(cpu: str, memory: str, disk: str, **extended: int) -> dict[str, Any]:
    """Requests that equal limits, which is also what extended resources demand."""
    amounts: dict[str, Any] = {"cpu": cpu, "memory": memory, "ephemeral-storage": disk, **extended}
    return {"requests": amounts, "limits": dict(amounts)}


def empty_volume(name: str, size: str, *, medium: str | None = None) -> dict[str, Any]:
    """A bounded scratch volume."""
    return {"name": name, "emptyDir": {**({"medium": medium} if medium else {}), "sizeLimit": size}}


def secret_volume(name: str, secret: str, keys: tuple[str, ...] = ()) -> dict[str, Any]:
    """Keys of a secret as files that only the pod's group reads; all keys when none is named."""
    items = {"items": [{"key": key, "path": key} for key in keys]} if keys else {}
    return {"name": name, "secret": {"secretName": secret, "defaultMode": 0o440, **items}}


def account_volume() -> dict[str, Any]:
    """The service account's files, for one container, with a token that ends by itself."""
    namespace = {"path": "namespace", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.namespace"}}
    sources = [
        {"serviceAccountToken": {"path": "token", "expirationSeconds": _TOKEN_SECONDS}},
        {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
        {"downwardAPI": {"items": [namespace]}},
    ]
    return {"name": "account", "projected": {"defaultMode": 0o440, "sources": sources}}
