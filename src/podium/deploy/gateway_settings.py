"""The settings that gateways and their controller read in their pods."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from podium.config.gateway import split_address
from podium.config.settings import Settings
from podium.deploy import places
from podium.deploy.inequality import Inequality
from podium.deploy.pod_settings import pod_settings
from podium.deploy.timing import Timings

CONTROL = "127.0.0.1:8081"
"""On loopback, as on one machine: it is reached by a port-forward, which the cluster's own rights are asked for."""
CONTROLLING = ("models", "server", "access", "redis", "logs", "telemetry", "gateway", "rollout", "monitor", "deploy")
"""Groups that they read."""


def listen_port(settings: Settings) -> int:
    """The port on which gateways serve, in their pods."""
    return split_address(settings.gateway.listen)[1]


def gateway_drain_seconds(settings: Settings) -> float:
    """How long a gateway lets requests finish: as it is set, or the longest stream."""
    gateway = settings.gateway
    given = "drain_seconds" in gateway.model_fields_set
    return gateway.drain_seconds if given else float(settings.deploy.timing.longest_stream_seconds)


def gateway_file(settings: Settings, timings: Timings) -> str:
    """``podium.yaml`` of gateways and controller: only what is set, in a fixed order."""
    pod = pod_settings(settings, timings)
    gateway = settings.gateway.model_copy(
        update={
            "listen": f"0.0.0.0:{listen_port(settings)}",
            "control": CONTROL,
            "drain_seconds": gateway_drain_seconds(settings),
        }
    )
    rollout = settings.rollout.model_copy(update={"history_file": f"{places.STATE_FOLDER}/rollouts.db"})
    access = pod.access.model_copy(update={"database": f"{places.STATE_FOLDER}/podium.db"})
    monitor = settings.monitor.model_copy(update={"history_file": f"{places.STATE_FOLDER}/alerts.jsonl"})
    changed = {"gateway": gateway, "rollout": rollout, "access": access, "monitor": monitor}
    document = pod.model_copy(update=changed).model_dump(mode="json", exclude_unset=True)
    document |= {name: _told(value, name) for name, value in changed.items()}
    document["deploy"] = _images(settings)
    kept = {name: document[name] for name in CONTROLLING if document.get(name)}
    return yaml.safe_dump(kept, sort_keys=False, allow_unicode=True, width=110)


def _told(group: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = group.model_dump(mode="json", exclude_unset=True)
    always = {
        "gateway": ("listen", "control", "drain_seconds"),
        "rollout": ("history_file",),
        "access": ("database",),
        "monitor": ("history_file",),
    }
    return {**found, **{field: getattr(group, field) for field in always[name]}}


def _images(settings: Settings) -> dict[str, Any]:
    """What tells one version of an environment from another."""
    environments = {name: {"image": given.image} for name, given in settings.deploy.environments.items() if given.image}
    return {"image": settings.deploy.image, **({"environments": environments} if environments else {})}


def gateway_inequalities(settings: Settings) -> Iterator[Inequality]:
    """What must hold between gateways and streams."""
    longest = settings.deploy.timing.longest_stream_seconds
    yield Inequality(
        {"gateway.drain_seconds": gateway_drain_seconds(settings)},
        ">=",
        {"longest_stream_seconds": longest},
        "a gateway that leaves would cut streams",
        "Raise gateway.drain_seconds or leave it out.",
    )
    if settings.gateway.first_byte_seconds:
        yield Inequality(
            {"longest_stream_seconds": longest},
            ">=",
            {"gateway.first_byte_seconds": settings.gateway.first_byte_seconds},
            "a request could wait for its first token for longer than it may last",
            "Lower gateway.first_byte_seconds.",
        )


def access_log_problems(settings: Settings) -> Iterator[str]:
    """Why a gateway in a container could not write its access log."""
    place = settings.gateway.access_log
    if place.startswith("/"):
        yield (
            f"gateway.access_log is {place}, a file in a container, which nobody reads or rotates; render with "
            "--set gateway.access_log=stdout, or off"
        )


def gateway_problems(settings: Settings) -> Iterator[str]:
    """Why gateways of ours could not run in a cluster."""
    deploy = settings.deploy
    yield from access_log_problems(settings)
    if not deploy.network.api_server:
        yield (
            "deploy.splitter is gateway, and network policies would keep the controller from the API server; add its "
            "address to deploy.network.api_server (kubectl get endpoints kubernetes)"
        )
    ports = [listen_port(settings), deploy.gateway.status_port, deploy.gateway.discovery_port]
    if ports[0] < places.LEAST_PORT or len(set(ports)) < len(ports):
        yield (
            "gateway.listen, deploy.gateway.status_port and deploy.gateway.discovery_port must be three different "
            "ports above 1023"
        )
