"""The settings that a server reads in its pod: those of the file, with the pod's own addresses and paths."""

from __future__ import annotations

import hashlib
from typing import Any

import yaml

from podium.config.models import Model
from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.quantity import quantity
from podium.deploy.timing import Timings

SERVING = ("models", "server", "access", "cache", "redis", "logs", "telemetry")
"""Groups that servers read."""
_EVERYWHERE = "0.0.0.0"  # noqa: S104 - of a pod; network policies say who reaches it
_MODELS_SHARE = 0.8  # of memory, as on a machine


def pod_settings(settings: Settings, timings: Timings) -> Settings:
    """What a pod's server is started with."""
    cache = places.CACHE_FOLDER
    given = settings.server
    memory = int(quantity(settings.deploy.resources.memory) * _MODELS_SHARE)  # a pod sees all of its node's memory
    server = given.model_copy(
        update={
            "host": _EVERYWHERE,
            "port": given.port,
            "admin_host": _EVERYWHERE,
            "admin_port": given.admin_port,
            "drain_seconds": float(timings.drain_seconds),
            "cache_dir": f"{cache}/models",
            "memory_budget_bytes": given.memory_budget_bytes or memory,
        }
    )
    access = settings.access.model_copy(update={"database": f"{cache}/podium.db"})
    logs = settings.logs.model_copy(update={"format": "json"})
    changed = {"models": settings.models, "server": server, "access": access, "logs": logs}
    return settings.model_copy(update={**changed, "redis": _redis(settings)})


def has_own_redis(settings: Settings) -> bool:
    """Whether Redis is deployed beside the servers."""
    return bool(settings.redis.url) and not settings.deploy.redis.external


def _redis(settings: Settings) -> Any:
    if not has_own_redis(settings):
        return settings.redis
    return settings.redis.model_copy(
        update={
            "url": f"redis://{places.REDIS}:{places.REDIS_PORT}/0",
            "username": places.APPLICATION,
            "password_file": f"{places.REDIS_FOLDER}/{places.REDIS_PASSWORD}",
        }
    )


def pod_file(settings: Settings, timings: Timings) -> str:
    """``podium.yaml`` of the pod: only what is set, in a fixed order."""
    document = pod_settings(settings, timings).model_dump(mode="json", exclude_unset=True)
    kept = {name: document[name] for name in SERVING if document.get(name)}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=110)


def digest(text: str) -> str:
    """What tells two configurations apart."""
    return hashlib.sha256(text.encode()).hexdigest()


def secret_files(settings: Settings, models: tuple[Model, ...]) -> dict[str, str]:
    """Settings that name a file which a pod with these models must be given, by setting."""
    found = {
        "redis.ca_file": settings.redis.ca_file,
        "redis.password_file": None if has_own_redis(settings) else settings.redis.password_file,
        "telemetry.otlp_headers_file": settings.telemetry.otlp_headers_file,
    }
    if settings.access.jwt is not None:
        found["access.jwt.ca_file"] = settings.access.jwt.ca_file
        found["access.jwt.jwks"] = None if "://" in settings.access.jwt.jwks else settings.access.jwt.jwks
    for model in models:
        found[f"the chat template of model {model.name}"] = model.chat_template_file
        found[f"the key file of model {model.name}"] = getattr(model.engine, "api_key_file", None)
    return {setting: path for setting, path in found.items() if path}


def run_key_files(settings: Settings) -> dict[str, str]:
    """Keys of a run that are named as files: in a cluster nobody makes them for each run, as `podium up` does."""
    names = ("metrics_key_file", "deploy_key_file", "shadow_key_file")
    return {f"access.{name}": path for name in names if (path := getattr(settings.access, name))}


def receiver_files(settings: Settings) -> dict[str, str]:
    """Secrets by which the controller's monitor signs its messages, by setting."""
    hooks = enumerate(settings.monitor.webhooks)
    return {f"monitor.webhooks.{at}.secret_file": hook.secret_file for at, hook in hooks if hook.secret_file}
