"""One service of a compose file, with the rights that a pod has: none that it does not need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from podium.deploy import places

SECRETS_VARIABLE = "PODIUM_SECRETS"
"""In a Swarm, where a secret never changes: part of the names of all secrets, to be raised with new ones."""
STATE_LABEL = "podium.state"
"""Label of the node of a Swarm that holds the volumes."""
MOST_PROCESSES = 4096
_PRIVATE_MODE = 0o440
_PUBLIC_MODE = 0o444


@dataclass(frozen=True)
class Health:
    """How Docker finds out: ``failures`` bad answers in a row, after ``start_seconds`` in which none counts."""

    test: tuple[str, ...]
    period_seconds: int = 10
    timeout_seconds: int = 5
    failures: int = 3
    start_seconds: int = 30

    def rendered(self) -> dict[str, Any]:
        """The member ``healthcheck``."""
        return {
            "test": ["CMD", *self.test],
            "interval": f"{self.period_seconds}s",
            "timeout": f"{self.timeout_seconds}s",
            "retries": self.failures,
            "start_period": f"{self.start_seconds}s",
        }


@dataclass(frozen=True)
class Service:
    """Everything of one service.

    Attributes:
        health: None for what ends by itself.
        stop_seconds: from SIGTERM to SIGKILL.
        files: path in the container of each configuration, by its name in the compose file; ``secrets`` likewise.
        start_first: whether an update may start the new one beside the old one.
        stateful: whether it has volumes that exist on one node.
        devices: ids of GPUs on this host; in a Swarm their number is asked for as ``device_kind``.
    """

    image: str
    user: int
    command: tuple[str, ...]
    health: Health | None
    networks: tuple[str, ...]
    cpus: float
    memory_bytes: int
    stop_seconds: int
    labels: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    volumes: tuple[Mapping[str, Any], ...] = ()
    temporary_bytes: int = 64 * 1024**2
    ports: tuple[str, ...] = ()
    waits_for: Mapping[str, str] = field(default_factory=dict)
    replicas: int = 1
    start_first: bool = False
    stateful: bool = False
    devices: tuple[str, ...] = ()
    device_kind: str = ""
    once: bool = False

    def on_host(self) -> dict[str, Any]:
        """For ``docker compose``."""
        waits = {name: {"condition": condition} for name, condition in self.waits_for.items()}
        return _kept(
            {
                **self._everywhere(),
                "security_opt": ["no-new-privileges:true"],
                "configs": [{"source": name, "target": path} for name, path in self.files.items()],
                "secrets": [{"source": name, "target": path} for name, path in self.secrets.items()],
                "ports": list(self.ports),
                "depends_on": waits,
                "restart": "no" if self.once else "unless-stopped",
                "profiles": ["weights"] if self.once else [],
                "labels": dict(self.labels),
                "deploy": _kept(
                    {
                        "replicas": self.replicas if self.replicas > 1 else None,
                        "resources": _kept({"limits": self._limits(), "reservations": self._devices()}),
                    }
                ),
            }
        )

    def in_swarm(self) -> dict[str, Any]:
        """For ``docker stack deploy``, which knows no ``security_opt``, and starts in no order."""

        def granted(name: str, path: str, mode: int) -> dict[str, Any]:
            return {"source": name, "target": path, "uid": str(self.user), "gid": str(self.user), "mode": mode}

        return _kept(
            {
                **self._everywhere(),
                "configs": [granted(name, path, _PUBLIC_MODE) for name, path in self.files.items()],
                "secrets": [granted(name, path, _PRIVATE_MODE) for name, path in self.secrets.items()],
                "ports": list(self.ports),
                "deploy": self._placement(),
            }
        )

    def _everywhere(self) -> dict[str, Any]:
        temporary = {"type": "tmpfs", "target": places.TEMPORARY_FOLDER, "tmpfs": {"size": self.temporary_bytes}}
        return {
            "image": self.image,
            "entrypoint": list(self.entrypoint),
            "command": list(self.command),
            "user": f"{self.user}:{self.user}",
            "init": True,
            "read_only": True,
            "cap_drop": ["ALL"],
            "environment": dict(self.environment),
            "volumes": [*map(dict, self.volumes), temporary],
            "networks": list(self.networks),
            "healthcheck": self.health.rendered() if self.health else None,
            "stop_grace_period": f"{self.stop_seconds}s",
        }

    def _limits(self) -> dict[str, Any]:
        return {"cpus": f"{self.cpus:g}", "memory": str(self.memory_bytes), "pids": MOST_PROCESSES}

    def _devices(self) -> dict[str, Any]:
        if not self.devices:
            return {}
        return {"devices": [{"driver": "nvidia", "device_ids": list(self.devices), "capabilities": ["gpu"]}]}

    def _placement(self) -> dict[str, Any]:
        reserved: dict[str, Any] = {"memory": str(self.memory_bytes)}
        if self.devices:
            kind = {"kind": self.device_kind, "value": len(self.devices)}
            reserved["generic_resources"] = [{"discrete_resource_spec": kind}]
        resources = {"limits": self._limits(), "reservations": reserved}
        if self.once:
            return {
                "mode": "global-job",
                "resources": resources,
                "restart_policy": {"condition": "on-failure", "delay": "5s", "max_attempts": 3},
            }
        order = {"parallelism": 1, "order": "start-first" if self.start_first else "stop-first", "monitor": "30s"}
        place: dict[str, Any] = {"preferences": [{"spread": "node.id"}]}
        if self.stateful:
            place = {"constraints": [f"node.labels.{STATE_LABEL} == true"]}
        return {
            "replicas": self.replicas,
            "endpoint_mode": "vip" if self.ports else "dnsrr",
            "labels": dict(self.labels),
            "update_config": {**order, "failure_action": "rollback"},
            "rollback_config": {**order, "failure_action": "pause"},
            "restart_policy": {"condition": "any", "delay": "5s"},
            "placement": place,
            "resources": resources,
        }


def volume(name: str, target: str, *, read_only: bool = False) -> dict[str, Any]:
    """A named volume at ``target``."""
    return _kept({"type": "volume", "source": name, "target": target, "read_only": read_only})


def own_volume(target: str) -> dict[str, Any]:
    """A volume that goes with its container."""
    return {"type": "volume", "target": target}


def _kept(members: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value not in (None, [], {}, (), False)}
