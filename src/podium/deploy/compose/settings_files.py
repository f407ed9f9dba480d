"""The settings that servers and gateway read in their containers: those of the file, with the stack's own names."""

from __future__ import annotations

from typing import Any

import yaml

from podium.config.gateway import Environment, split_address
from podium.config.monitor import Monitor
from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.compose.host_plan import HostPlan
from podium.deploy.gateway_settings import gateway_drain_seconds, listen_port
from podium.deploy.pod_settings import SERVING, pod_settings

REDIS = "redis"
CONFIG = f"{places.CONFIG_FOLDER}/{places.CONFIG_FILE}"
KEYS_FOLDER = "/etc/podium/keys"
METRICS_KEY = f"{KEYS_FOLDER}/metrics"
_CONTROLLING = (*SERVING, "gateway", "rollout", "monitor")


def server_file(plan: HostPlan, environment: str) -> str:
    """``podium.yaml`` of an environment's servers: only what is set, in a fixed order."""
    models = {"models": plan.settings.models_of(environment)}
    return _text(_in_container(plan).model_copy(update=models), SERVING)


def gateway_file(plan: HostPlan) -> str:
    """``podium.yaml`` of the gateway and its controller. Every environment names servers; it starts none itself."""
    settings = plan.settings
    given = settings.gateway
    kept = {name: each for name, each in given.environments.items() if each.endpoints or _started(plan, name)}
    gateway = given.model_copy(
        update={
            "listen": f"0.0.0.0:{listen_port(settings)}",
            "control": f"127.0.0.1:{split_address(given.control)[1]}",
            "drain_seconds": gateway_drain_seconds(settings),
            "environments": {name: _named(plan, name, each) for name, each in kept.items()},
            "weights": {name: share for name, share in given.weights.items() if name in kept},
        }
    )
    state = places.STATE_FOLDER
    rollout = settings.rollout.model_copy(update={"history_file": f"{state}/rollouts.db"})
    hooks = tuple(hook for hook in settings.monitor.webhooks if not (plan.monitored and is_for_alertmanager(hook)))
    monitor = settings.monitor.model_copy(update={"history_file": f"{state}/alerts.jsonl", "webhooks": hooks})
    inside = _in_container(plan)
    access = inside.access.model_copy(update={"database": f"{state}/podium.db"})
    changed = {"gateway": gateway, "rollout": rollout, "monitor": monitor, "access": access}
    return _text(inside.model_copy(update=changed), _CONTROLLING)


def is_for_alertmanager(hook: Any) -> bool:
    """Whether Alertmanager tells this receiver: it understands that shape, and wants no signature."""
    return hook.kind == "alertmanager" and not hook.secret_file


def alertmanager_settings(plan: HostPlan) -> Monitor:
    """The monitor's settings with those receivers alone."""
    monitor = plan.settings.monitor
    return monitor.model_copy(update={"webhooks": tuple(filter(is_for_alertmanager, monitor.webhooks))})


def _started(plan: HostPlan, name: str) -> bool:
    return any(each.name == name for each in plan.environments)


def _named(plan: HostPlan, name: str, given: Environment) -> Environment:
    if given.endpoints:
        return given
    server = plan.settings.server
    metrics = (f"http://{name}:{server.admin_port}",) if plan.single and not plan.swarm else ()
    changed = {"endpoints": (f"http://{name}:{server.port}",), **({"metrics": metrics} if metrics else {})}
    fields = given.model_dump(exclude_unset=True, exclude={"replicas", "models"})
    return Environment.model_validate({**fields, **changed})


def _in_container(plan: HostPlan) -> Settings:
    """What servers and gateway have in common: Redis by its name here, keys that know each other."""
    settings = pod_settings(plan.settings, plan.timings)
    keys = {"metrics_key_file": METRICS_KEY, "shadow_key_file": f"{KEYS_FOLDER}/shadow"}
    if deploys_versions(plan):
        keys["deploy_key_file"] = f"{KEYS_FOLDER}/deploy"
    changed: dict[str, Any] = {"access": settings.access.model_copy(update=keys)}
    if plan.own_redis:
        changed["redis"] = settings.redis.model_copy(update={"url": f"redis://{REDIS}:{places.REDIS_PORT}/0"})
    return settings.model_copy(update=changed)


def deploys_versions(plan: HostPlan) -> bool:
    """Whether the controller may load versions on servers: by a name that is several servers' it would reach one."""
    return plan.single and not plan.swarm


def _text(settings: Settings, groups: tuple[str, ...]) -> str:
    document = settings.model_dump(mode="json", exclude_unset=True)
    kept = {name: document[name] for name in groups if document.get(name)}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=110)
