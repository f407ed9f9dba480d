"""What we render of the Compose Specification, as typed models of ours: unknown members and wrong types are refused.

Written after the specification (2026) and version 3.13 of the format that ``docker stack deploy`` reads. The
specification's own JSON schema is in no package that could be installed beside ours; what differs between a host and a
Swarm is in ``OnHost`` and ``InSwarm``.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

Duration = Annotated[str, Field(pattern=r"^[0-9]+s$")]
Name = Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]+$")]
Bytes = Annotated[str, Field(pattern=r"^[0-9]+$")]
Absolute = Annotated[str, Field(pattern=r"^/")]
Image = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9./_-]*(:[A-Za-z0-9._-]+)?(@sha256:[0-9a-f]{64})?$")]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Size(Strict):
    size: Annotated[int, Field(gt=0)]


class Mount(Strict):
    type: Literal["volume", "tmpfs"]
    source: Name | None = None
    target: Absolute
    read_only: bool = False
    tmpfs: Size | None = None


class Health(Strict):
    test: Annotated[list[str], Field(min_length=2)]
    interval: Duration
    timeout: Duration
    retries: Annotated[int, Field(ge=1)]
    start_period: Duration


class Granted(Strict):
    source: Name
    target: Absolute


class GrantedTo(Granted):
    uid: Annotated[str, Field(pattern=r"^[0-9]+$")]
    gid: Annotated[str, Field(pattern=r"^[0-9]+$")]
    mode: Annotated[int, Field(ge=0, le=0o777)]


class Limits(Strict):
    cpus: Annotated[str, Field(pattern=r"^[0-9.]+$")]
    memory: Bytes
    pids: int


class Device(Strict):
    driver: Literal["nvidia"]
    device_ids: Annotated[list[str], Field(min_length=1)]
    capabilities: list[Literal["gpu"]]


class HostReservations(Strict):
    devices: list[Device]


class HostResources(Strict):
    limits: Limits
    reservations: HostReservations | None = None


class HostDeploy(Strict):
    replicas: Annotated[int, Field(ge=1)] = 1
    resources: HostResources


class Discrete(Strict):
    kind: str
    value: Annotated[int, Field(ge=1)]


class Generic(Strict):
    discrete_resource_spec: Discrete


class SwarmReservations(Strict):
    memory: Bytes
    generic_resources: list[Generic] = []


class SwarmResources(Strict):
    limits: Limits
    reservations: SwarmReservations


class Update(Strict):
    parallelism: Annotated[int, Field(ge=1)]
    order: Literal["start-first", "stop-first"]
    monitor: Duration
    failure_action: Literal["continue", "pause", "rollback"]


class RollbackUpdate(Update):
    failure_action: Literal["continue", "pause"]


class Restart(Strict):
    condition: Literal["none", "on-failure", "any"]
    delay: Duration
    max_attempts: int | None = None


class Spread(Strict):
    spread: str


class Placement(Strict):
    constraints: list[str] = []
    preferences: list[Spread] = []


class SwarmDeploy(Strict):
    mode: Literal["replicated", "global", "replicated-job", "global-job"] = "replicated"
    replicas: Annotated[int, Field(ge=0)] = 1
    endpoint_mode: Literal["vip", "dnsrr"] = "vip"
    labels: dict[str, str] = {}
    update_config: Update | None = None
    rollback_config: RollbackUpdate | None = None
    restart_policy: Restart
    placement: Placement = Placement()
    resources: SwarmResources


class Wait(Strict):
    condition: Literal["service_started", "service_healthy", "service_completed_successfully"]


class Everywhere(Strict):
    image: Image
    command: list[str] = []
    user: Annotated[str, Field(pattern=r"^[0-9]+:[0-9]+$")]
    init: bool
    read_only: bool
    cap_drop: list[str]
    environment: dict[str, str] = {}
    volumes: list[Mount]
    networks: list[Name]
    healthcheck: Health | None = None
    stop_grace_period: Duration


class HostService(Everywhere):
    security_opt: list[str]
    configs: list[Granted] = []
    secrets: list[Granted] = []
    ports: list[Annotated[str, Field(pattern=r"^(\[[0-9a-f:]+\]|[0-9.]+):[0-9]+:[0-9]+$")]] = []
    depends_on: dict[Name, Wait] = {}
    restart: Literal["no", "unless-stopped"]
    profiles: list[Name] = []
    labels: dict[str, str] = {}
    deploy: HostDeploy


class SwarmService(Everywhere):
    configs: list[GrantedTo] = []
    secrets: list[GrantedTo] = []
    ports: list[Annotated[str, Field(pattern=r"^[0-9]+:[0-9]+$")]] = []
    deploy: SwarmDeploy


class HostNetwork(Strict):
    internal: bool = False


class SwarmNetwork(HostNetwork):
    driver: Literal["overlay"]
    driver_opts: dict[str, str]


class Volume(Strict):
    name: Name


class HostFile(Strict):
    file: Annotated[str, Field(pattern=r"^\./[A-Za-z0-9./_-]+$")]


class SwarmFile(HostFile):
    name: Annotated[str, Field(max_length=64)]


class OnHost(Strict):
    """What ``docker compose`` reads."""

    name: Name
    services: dict[Name, HostService]
    networks: dict[Name, HostNetwork]
    volumes: dict[Name, Volume] = {}
    configs: dict[Name, HostFile] = {}
    secrets: dict[Name, HostFile] = {}


class InSwarm(Strict):
    """What ``docker stack deploy`` reads."""

    version: Literal["3.13"]
    services: dict[Name, SwarmService]
    networks: dict[Name, SwarmNetwork]
    volumes: dict[Name, Volume] = {}
    configs: dict[Name, SwarmFile] = {}
    secrets: dict[Name, SwarmFile] = {}
