"""Podium's own services: servers of each environment, the gateway, Redis, and what fetches weights."""

from __future__ import annotations

from typing import Any

from podium.config.gateway import split_address
from podium.deploy import places, timing
from podium.deploy.compose.host_plan import HostEnvironment, HostPlan
from podium.deploy.compose.service import Health, Service, own_volume, volume
from podium.deploy.compose.settings_files import CONFIG, KEYS_FOLDER, REDIS, deploys_versions
from podium.deploy.gateway_settings import gateway_drain_seconds, listen_port
from podium.deploy.kubernetes.redis import GRACE_SECONDS, redis_arguments
from podium.deploy.quantity import quantity
from podium.deploy.server_variables import download_variables, process_variables, server_variables

FRONT, SERVING, STORE, MONITORING, BOARD, OUTSIDE = "front", "serving", "store", "monitoring", "board", "outside"
"""Networks. All but ``front``, ``board`` and ``outside`` lead nowhere else."""
STATE, REDIS_DATA, WEIGHTS = "state", "redis", "weights"
PASSWORD, USERS = "redis-password", "redis-users"
KEYS = {"metrics-key": "metrics", "shadow-key": "shadow", "deploy-key": "deploy"}
"""Secrets that several of our own processes know each other by, and their file below ``KEYS_FOLDER``."""
HUB_TOKEN = "hub-token"  # noqa: S105 - a name, of a secret and of its file
GATEWAY_CONFIG = "gateway"
CONFIG_LABEL = "podium.config"
_REDIS_USER = 999  # of the official image on Debian; its volume belongs to it
_USERS_FILE = f"/etc/redis/{places.REDIS_USERS}"
_SUPERVISOR_BYTES = 512 * 1024**2  # controller and supervisor, beside Envoy
_RUN_BYTES = 256 * 1024**2  # of the gateway's run folder, which holds two attempts logs of 64 MiB


def servers(plan: HostPlan, environment: HostEnvironment, digest: str) -> Service:
    """The servers of one environment. ``digest`` of their configuration: a changed one is a new container."""
    settings, given = plan.settings, plan.settings.deploy.resources
    weights = settings.deploy.weights.path
    volumes: list[dict[str, Any]] = [own_volume(places.CACHE_FOLDER)]
    if plan.mounts_weights:
        volumes.append(volume(WEIGHTS, weights, read_only=True))
    if len(environment.devices) > 1:
        shared = {"size": int(quantity(given.shared_memory))}
        volumes.append({"type": "tmpfs", "target": places.SHARED_MEMORY_FOLDER, "tmpfs": shared})
    return Service(
        image=environment.image,
        user=places.USER_ID,
        command=("serve", "--config", CONFIG),
        health=_server_health(plan, environment),
        networks=tuple(
            name
            for name, wanted in {
                SERVING: True,
                STORE: plan.own_redis,
                MONITORING: plan.monitored,
                OUTSIDE: plan.calls_outside,
            }.items()
            if wanted
        ),
        cpus=quantity(given.cpu),
        memory_bytes=int(quantity(given.memory)),
        stop_seconds=plan.timings.drain_seconds + settings.deploy.timing.stop_margin_seconds,
        labels={CONFIG_LABEL: digest},
        environment=server_variables(weights if plan.hub_ids else None),
        files={environment.name: CONFIG},
        secrets=_secrets(plan, tls=False),
        volumes=tuple(volumes),
        temporary_bytes=int(quantity(given.temporary)),
        waits_for={REDIS: "service_healthy"} if plan.own_redis else {},
        replicas=environment.replicas,
        start_first=settings.deploy.strategy == "rolling",
        devices=environment.devices,
        device_kind=settings.deploy.accelerators.resource,
    )


def gateway(plan: HostPlan, digest: str) -> Service:
    """``podium up`` with servers that run elsewhere: an Envoy, its controller, and what keeps both running."""
    settings, given = plan.settings, plan.settings.deploy.gateway
    port = listen_port(settings)
    host = split_address(settings.gateway.listen)[0]
    published = f"{f'[{host}]' if ':' in host else host}:{port}:{port}"
    return Service(
        image=plan.image,
        user=places.USER_ID,
        command=("up", "--config", CONFIG),
        health=Health(("python", "-I", "-c", _asks_envoy(port, tls=settings.gateway.tls is not None))),
        networks=(FRONT, SERVING, *((STORE,) if plan.own_redis else ())),
        cpus=quantity(given.cpu) + 0.5,
        memory_bytes=int(quantity(given.memory)) + _SUPERVISOR_BYTES + _RUN_BYTES,
        stop_seconds=int(gateway_drain_seconds(settings)) + settings.deploy.timing.stop_margin_seconds,
        labels={CONFIG_LABEL: digest},
        environment=process_variables(),
        files={GATEWAY_CONFIG: CONFIG},
        secrets=_secrets(plan, tls=True),
        volumes=(volume(STATE, places.STATE_FOLDER),),
        temporary_bytes=_RUN_BYTES,
        ports=(f"{port}:{port}",) if plan.swarm else (published,),
        waits_for={
            **({REDIS: "service_healthy"} if plan.own_redis else {}),
            **{each.name: "service_started" for each in plan.environments},
        },
        stateful=True,
    )


def redis(plan: HostPlan) -> Service:
    """The Redis that servers share, with one user and no other."""
    given = plan.settings.deploy.redis
    return Service(
        image=given.image or plan.settings.deploy.compose.redis_image,
        user=_REDIS_USER,
        command=tuple(redis_arguments(given.max_memory_bytes, users=_USERS_FILE, folder="/data")),
        # The default user is off, so that a Redis that works says NOAUTH; no password is needed to see that.
        health=Health(("sh", "-c", "redis-cli ping 2>&1 | grep -q NOAUTH"), start_seconds=300),
        networks=(STORE,),
        cpus=0.5,
        memory_bytes=2 * given.max_memory_bytes + 256 * 1024**2,
        stop_seconds=GRACE_SECONDS,
        secrets={USERS: _USERS_FILE},
        volumes=(volume(REDIS_DATA, "/data"),),
        stateful=True,
    )


def downloads(plan: HostPlan) -> dict[str, Service]:
    """What fetches models of a hub into the volume: one service for each, which ends."""
    path = plan.settings.deploy.weights.path
    token = f"{places.HUB_SECRET_FOLDER}/token" if plan.settings.deploy.weights.token_secret else ""
    return {
        f"{WEIGHTS}-{number}": Service(
            image=plan.image,
            user=places.USER_ID,
            command=("models", "pull", hub_id),
            health=None,
            networks=(OUTSIDE,),
            cpus=1,
            memory_bytes=2 * 1024**3,
            stop_seconds=10,
            environment=download_variables(path) | ({places.HUB_TOKEN_VARIABLE: token} if token else {}),
            secrets={HUB_TOKEN: token} if token else {},
            volumes=(volume(WEIGHTS, path),),
            temporary_bytes=1024**3,
            once=True,
        )
        for number, hub_id in enumerate(plan.hub_ids, start=1)
    }


def own_files(plan: HostPlan) -> dict[str, str]:
    """Secrets from the folder ``files``, by name, and their paths in containers."""
    return {f"file-{path.rpartition('/')[2].replace('.', '-')}": path for path in sorted(set(plan.files.values()))}


def _secrets(plan: HostPlan, *, tls: bool) -> dict[str, str]:
    found = {PASSWORD: f"{places.REDIS_FOLDER}/{places.REDIS_PASSWORD}"} if plan.own_redis else {}
    keys = {name: f"{KEYS_FOLDER}/{file}" for name, file in KEYS.items() if file != "deploy" or deploys_versions(plan)}
    hidden = set() if tls else {path for setting, path in plan.files.items() if setting.startswith("gateway.tls")}
    return {**found, **keys, **{name: path for name, path in own_files(plan).items() if path not in hidden}}


def _server_health(plan: HostPlan, environment: HostEnvironment) -> Health:
    """Started once, and going forward since: a busy or draining server is not to be killed, so not ``/readyz``."""
    url = f"http://127.0.0.1:{plan.settings.server.admin_port}"
    paths = f"urlopen('{url}/startupz', timeout=4); urlopen('{url}/livez', timeout=4)"
    return Health(
        ("python", "-I", "-c", f"from urllib.request import urlopen; {paths}"),
        period_seconds=timing.LIVENESS_PERIOD_SECONDS,
        timeout_seconds=2 * timing.LIVENESS_TIMEOUT_SECONDS,
        failures=environment.timings.liveness_failures,
        start_seconds=environment.timings.startup_seconds,
    )


def _asks_envoy(port: int, *, tls: bool) -> str:
    """Any answer will do: without a server the gateway answers 503, and restarting it would not help."""
    kind, more = ("HTTPSConnection", ", context=s._create_unverified_context()") if tls else ("HTTPConnection", "")
    connect = f"c = h.{kind}('127.0.0.1', {port}, timeout=4{more})"
    return f"import http.client as h, ssl as s; {connect}; c.request('GET', '/livez'); c.getresponse()"
