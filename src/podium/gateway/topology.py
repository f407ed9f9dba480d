"""What the gateway is meant to be. Everything that Envoy is told follows from a topology and nothing else."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self
from urllib.parse import urlsplit

from podium.config.gateway import FULL_WEIGHT, WEIGHT_DIGITS, Gateway, split_address
from podium.config.settings import Settings
from podium.config.telemetry import Telemetry
from podium.gateway.certificate import Certificate

TOTAL_WEIGHT = FULL_WEIGHT * 10**WEIGHT_DIGITS
"""Sum of all weights, always: with another total, a hash would send a user to another environment."""


@dataclass(frozen=True)
class Endpoint:
    """Where one server listens. ``host`` is an IP address or a name."""

    host: str
    port: int

    @classmethod
    def parse(cls, url: str) -> Self:
        """The endpoint of ``http://host:port``; port 80 when the URL has none."""
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or 80)

    @property
    def is_ip(self) -> bool:
        """Whether no name has to be looked up."""
        try:
            ipaddress.ip_address(self.host)
        except ValueError:
            return False
        return True


@dataclass(frozen=True)
class Environment:
    """Interchangeable servers under one name."""

    name: str
    endpoints: tuple[Endpoint, ...]
    health_path: str


@dataclass(frozen=True)
class Limits:
    """Bounds on what passes the gateway. Seconds; 0 in ``first_byte_seconds`` means no bound."""

    first_byte_seconds: float
    idle_seconds: float
    max_requests: int
    body_bytes: int


@dataclass(frozen=True)
class Tracing:
    """Where spans go (``http://host:port``), and the share of the requests without a trace that have some."""

    endpoint: str
    ratio: float


@dataclass(frozen=True)
class Topology:
    """The wanted state: where to listen, who serves, and in which shares.

    ``weights`` holds every environment, in the order of ``environments``, in units of which ``TOTAL_WEIGHT`` are all.
    ``former`` is the stable environment of before, for as long as requests may be on their way through its shield.
    ``draining`` is an environment whose servers get no new request, by whatever way; those that run go on. With
    ``has_tls`` nobody is served before there is a ``certificate``. ``copied`` requests of 10,000 are sent to
    ``copies_socket`` too; empty: none can be. ``watched``: servers come and go by themselves, so that an environment
    may have none for a while. Without ``tracing`` a caller's trace passes as it is. Unless it ``has_pins``, a header
    chooses an environment for its check, and for requests with the ``shadow_key``, alone. ``access_log`` is ``off``,
    ``stdout`` or a path, as in the settings.
    """

    listen: Endpoint
    environments: tuple[Environment, ...]
    stable: str
    weights: Mapping[str, int]
    limits: Limits
    health_host: str
    attempts_log: str
    former: str = ""
    draining: str = ""
    has_tls: bool = False
    certificate: Certificate | None = None
    copies_socket: str = ""
    copied: int = 0
    watched: bool = False
    tracing: Tracing | None = None
    has_pins: bool = True
    shadow_key: str = field(default="", repr=False)
    access_log: str = "off"

    def with_weights(self, per_cent: Mapping[str, float]) -> Self:
        """The same with other shares; what is left out gets none."""
        return replace(self, weights=units(per_cent, self.names))

    def with_servers(self, servers: Mapping[str, tuple[Endpoint, ...]]) -> Self:
        """The same with other servers in the environments that are named."""
        found = (replace(each, endpoints=servers.get(each.name, each.endpoints)) for each in self.environments)
        return replace(self, environments=tuple(found))

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the environments, in their constant order."""
        return tuple(environment.name for environment in self.environments)


def topology_of(settings: Settings, *, attempts_log: str, copies_socket: str = "") -> Topology:
    """The topology that the settings describe; an environment has the endpoints that it names.

    ``attempts_log`` is the file to which Envoy writes a line for each attempt, ``copies_socket`` where copies go.
    """
    gateway = settings.gateway
    host, port = split_address(gateway.listen)
    names = tuple(gateway.environments)
    return Topology(
        listen=Endpoint(host, port),
        environments=_environments(gateway),
        stable=gateway.stable_name,
        weights=units(gateway.starting_weights, names),
        limits=Limits(
            first_byte_seconds=gateway.first_byte_seconds,
            idle_seconds=gateway.idle_seconds,
            max_requests=gateway.max_requests,
            body_bytes=settings.server.limits.body_bytes,
        ),
        health_host=next(iter(settings.server.allowed_hosts), "localhost"),
        attempts_log=attempts_log,
        has_tls=gateway.tls is not None,
        copies_socket=copies_socket,
        tracing=_tracing(settings.telemetry),
        has_pins=gateway.pins == "everyone",
        access_log=gateway.access_log,
    )


def units(per_cent: Mapping[str, float], names: tuple[str, ...]) -> dict[str, int]:
    """Weights in units, for every name in order."""
    return {name: round(per_cent.get(name, 0.0) * 10**WEIGHT_DIGITS) for name in names}


def per_cent(weights: Mapping[str, int]) -> dict[str, float]:
    """Weights as a person writes them."""
    return {name: round(weight / 10**WEIGHT_DIGITS, WEIGHT_DIGITS) for name, weight in weights.items()}


def _tracing(telemetry: Telemetry) -> Tracing | None:
    """None: a trace passes the gateway and has no span of it."""
    return Tracing(telemetry.otlp_endpoint, telemetry.trace_ratio) if telemetry.gateway_traces else None


def _environments(gateway: Gateway) -> tuple[Environment, ...]:
    return tuple(
        Environment(name, tuple(Endpoint.parse(url) for url in given.endpoints), given.health_path)
        for name, given in gateway.environments.items()
    )
