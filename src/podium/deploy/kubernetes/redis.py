"""The Redis that pods share: keys, quotas, usage and kept answers, on a disk of its own."""

from __future__ import annotations

from typing import Any

from podium.deploy import places
from podium.deploy.kubernetes.container import (
    CONTAINER_SECURITY,
    empty_volume,
    equal_resources,
    pod_security,
    secret_volume,
)
from podium.deploy.kubernetes.manifest import Manifest, manifest
from podium.deploy.plan import Plan

_DATA_FOLDER = "/data"
_USERS_FOLDER = "/etc/redis/users"
_OVERHEAD_BYTES = 256 * 1024**2  # beside maxmemory: buffers, and the copy while the log is rewritten
_COPY_SHARE = 2  # a rewrite may touch every page
GRACE_SECONDS = 60
"""Time to write what is in memory."""


def stateful_sets(plan: Plan) -> list[Manifest]:
    """One Redis, where one is deployed."""
    if not plan.own_redis:
        return []
    labels = places.labels("redis")
    claim = {"storage": plan.settings.deploy.redis.storage}
    template = {
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": claim}},
    }
    return [
        manifest(
            "apps/v1",
            "StatefulSet",
            places.REDIS,
            plan.namespace,
            labels=labels,
            annotations={places.MADE_ELSEWHERE: places.REDIS},
            spec={
                "replicas": 1,
                "serviceName": places.REDIS,
                "selector": {"matchLabels": labels},
                "template": {"metadata": {"labels": labels}, "spec": _pod(plan)},
                "volumeClaimTemplates": [template],
            },
        )
    ]


def redis_arguments(max_memory_bytes: int, *, users: str, folder: str) -> list[str]:
    """How Redis is started. ``noeviction``: usage that were thrown away would be forgiven, keys would be gone."""
    options = {
        "--port": str(places.REDIS_PORT),
        "--aclfile": users,
        "--maxmemory": str(max_memory_bytes),
        "--maxmemory-policy": "noeviction",
        "--appendonly": "yes",
        "--save": "",
        "--dir": folder,
        "--protected-mode": "no",  # the default user is off, and a network policy says who may connect
    }
    return ["redis-server", *(word for option in options.items() for word in option)]


def _pod(plan: Plan) -> dict[str, Any]:
    return {
        "serviceAccountName": places.REDIS,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": pod_security(),
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "containers": [_container(plan)],
        "volumes": [
            secret_volume("users", places.REDIS, (places.REDIS_USERS,)),
            empty_volume("temporary", "64Mi"),
        ],
    }


def _container(plan: Plan) -> dict[str, Any]:
    given = plan.settings.deploy.redis
    users = f"{_USERS_FOLDER}/{places.REDIS_USERS}"
    memory = (_COPY_SHARE * given.max_memory_bytes + _OVERHEAD_BYTES) // 1024**2
    return {
        "name": "redis",
        "image": given.image,
        "imagePullPolicy": "Always",
        "command": redis_arguments(given.max_memory_bytes, users=users, folder=_DATA_FOLDER),
        "ports": [{"name": "redis", "containerPort": places.REDIS_PORT, "protocol": "TCP"}],
        "startupProbe": {**_probe(), "failureThreshold": 60},  # a long log is read first
        "livenessProbe": {**_probe(), "failureThreshold": 6},
        "readinessProbe": {**_probe(), "failureThreshold": 2},
        "lifecycle": {"preStop": {"sleep": {"seconds": 1}}},
        "resources": equal_resources("500m", f"{memory}Mi", "256Mi"),
        "securityContext": CONTAINER_SECURITY,
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "volumeMounts": [
            {"name": "users", "mountPath": _USERS_FOLDER, "readOnly": True},
            {"name": "data", "mountPath": _DATA_FOLDER},
            {"name": "temporary", "mountPath": places.TEMPORARY_FOLDER},
        ],
    }


def _probe() -> dict[str, Any]:
    """A connection, not a PING: the default user is off, so that a PING without a password says nothing."""
    return {"tcpSocket": {"port": "redis"}, "periodSeconds": 5, "timeoutSeconds": 3}
