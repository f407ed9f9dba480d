"""The gateway: one address in front of several environments, and how traffic is split between them."""

from __future__ import annotations

import ipaddress
import re
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from podium.config.access import is_loopback
from podium.config.frozen import Group
from podium.config.models import Model, check_names
from podium.config.words import OFF_IS_A_WORD

FULL_WEIGHT = 100
WEIGHT_DIGITS = 2  # a hundredth of a per cent is the smallest share that the gateway can realise

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?\Z")
_HOST_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]{0,252})\Z")


def split_address(text: str) -> tuple[str, int]:
    """Host and port of ``host:port`` or ``[v6]:port``. Raises ``ValueError`` for anything else."""
    host, colon, port = text.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("should be host:port, such as 127.0.0.1:8080")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        raise ValueError("should begin with an IP address, such as 127.0.0.1:8080") from None
    return host, int(port)


def _address(text: str) -> str:
    split_address(text)
    return text


def _loopback_address(text: str) -> str:
    if not is_loopback(split_address(text)[0]):
        raise ValueError("should be a loopback address: whoever reaches it can move traffic")
    return text


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise ValueError("should be an address such as http://10.0.0.7:8000") from None
    host = parts.hostname or ""
    if parts.scheme != "http" or parts.username or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("should be http://host:port and nothing more, such as http://10.0.0.7:8000")
    if port == 0 or not (_is_ip(host) or _HOST_NAME.match(host)):
        raise ValueError("should name a host and a port, such as http://10.0.0.7:8000")
    return text.rstrip("/")


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _health_path(text: str) -> str:
    if not text.startswith("/") or any(character.isspace() for character in text):
        raise ValueError("should be a path that begins with /, such as /readyz")
    return text


def _log_place(text: str) -> str:
    if text not in {"off", "stdout"} and not (text.startswith("/") and text.isprintable()):
        raise ValueError("should be off, stdout, or an absolute path such as /var/log/podium/gateway.jsonl")
    return text


Address = Annotated[str, AfterValidator(_address)]
LoopbackAddress = Annotated[str, AfterValidator(_loopback_address)]
Endpoint = Annotated[str, AfterValidator(_endpoint)]
HealthPath = Annotated[str, AfterValidator(_health_path)]
LogPlace = Annotated[str, OFF_IS_A_WORD, AfterValidator(_log_place)]


class Environment(Group):
    """Servers that are interchangeable: local replicas, or endpoints that run elsewhere. One of both."""

    replicas: int = Field(
        0,
        ge=0,
        le=64,
        description="Local servers that `podium up` starts and restarts; 0: none, `endpoints` are named.",
    )
    endpoints: tuple[Endpoint, ...] = Field(
        (),
        max_length=256,
        description="Servers that run elsewhere, as `http://host:port`; any OpenAI-compatible one. Empty: `replicas`.",
    )
    metrics: tuple[Endpoint, ...] = Field(
        (),
        max_length=256,
        description="Where the monitor asks for `/metrics` and `/requests/recent` of these servers, as "
        "`http://host:port` of their admin ports. Empty: `podium up` names those of its own replicas; other servers "
        "are seen through the gateway alone.",
    )
    health_path: HealthPath = Field(
        "/readyz", description="Path that answers 200 while a server wants traffic; asked twice a second."
    )
    models: tuple[Model, ...] = Field(
        (), description="Models that its `replicas` serve, as in `models` at the top. Empty: those at the top."
    )

    @model_validator(mode="after")
    def _has_servers_of_one_kind(self) -> Environment:
        if bool(self.replicas) == bool(self.endpoints):
            raise ValueError("should have either `replicas` (1 or more) or `endpoints`, not both and not neither")
        if len(set(self.endpoints)) != len(self.endpoints):
            raise ValueError("lists an endpoint twice")
        if self.models and self.endpoints:
            raise ValueError(
                "has `models` and `endpoints`: servers that run elsewhere serve what they were started with"
            )
        check_names(self.models)
        return self


class GatewayTls(Group):
    """Certificate of the gateway's own listener. Both files are followed: a new pair is taken without a restart."""

    certificate: str = Field(
        min_length=1, description="PEM file of the certificate, followed by those between it and its root."
    )
    key: str = Field(
        min_length=1, description="PEM file of its private key, not encrypted: RSA (2048 bits or more) or P-256."
    )


class Gateway(Group):
    """The gateway of `podium up`: an Envoy that splits traffic between environments."""

    listen: Address = Field(
        "127.0.0.1:8080", description="Address of the gateway, `host:port`; port 0 takes a free one."
    )
    tls: GatewayTls | None = Field(
        None, description="Certificate and key; then `listen` speaks HTTPS, TLS 1.2 or later. None: plain HTTP."
    )
    control: LoopbackAddress = Field(
        "127.0.0.1:8081",
        description="Address of the control routes (`/control/traffic`), on loopback; port 0 takes a free one.",
    )
    environments: dict[str, Environment] = Field(
        {"blue": Environment(replicas=1)},
        min_length=1,
        max_length=16,
        description="Environments by name: lower-case letters, digits and `-`.",
    )
    stable: str = Field(
        "",
        description="Environment that takes over what another one fails before its first byte; empty: the first one.",
    )
    weights: dict[str, float] = Field(
        {},
        description="Share of traffic at start, in per cent with at most two decimals, together 100; an environment "
        "that is left out gets none. Empty: everything to `stable`.",
    )
    pins: Literal["everyone", "nobody"] = Field(
        "everyone",
        description="Who reaches an environment by the header `x-podium-arm`, whatever its weight: `everyone`, so any "
        "client can choose its version, or `nobody`, whose header is passed over.",
    )
    first_byte_seconds: float = Field(
        0.0,
        ge=0,
        le=3600,
        description="Longest wait for the head of an answer, which a Podium server sends with its first token; then "
        "the request is tried once more, on `stable`. 0 means no limit.",
    )
    idle_seconds: float = Field(
        300.0, gt=0, le=86400, description="A stream in which nothing moves for this long is ended."
    )
    max_connections: int = Field(4096, ge=1, le=1_000_000, description="Most client connections; more are refused.")
    max_requests: int = Field(
        4096, ge=1, le=1_000_000, description="Most requests at the same time to each environment; more are 503."
    )
    ack_seconds: float = Field(
        10.0, gt=0, le=300, description="Longest wait for the gateway to confirm a change; then it is taken back."
    )
    drain_seconds: float = Field(
        30.0, ge=0, le=3600, description="Longest wait for running requests when the gateway stops; 0 means none."
    )
    envoy_threads: int = Field(0, ge=0, le=256, description="Worker threads of Envoy; 0 means one for each core.")
    access_log: LogPlace = Field(
        "off",
        description="Where the gateway writes a line of JSON for each request that has ended. `stdout`: with what "
        "`podium up`, or a gateway's pod, prints; an absolute path: a file that is appended to; `off`: nowhere.",
    )

    @model_validator(mode="after")
    def _fits_together(self) -> Gateway:
        for name in self.environments:
            if not _NAME.match(name):
                raise ValueError(f"environment {name!r}: use 1 to 32 lower-case letters, digits or '-'")
        seen: set[str] = set()
        for environment in self.environments.values():
            if seen & set(environment.endpoints):
                raise ValueError("an endpoint is listed in two environments; give each server to one of them")
            seen |= set(environment.endpoints)
        if self.stable and self.stable not in self.environments:
            raise ValueError(f"stable names {self.stable!r}, which is no environment; there are {self._names()}")
        if self.weights:
            check_weights(self.weights, self.environments)
        return self

    def _names(self) -> str:
        return ", ".join(self.environments)

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"{'http' if self.tls is None else 'https'}://{self.listen}"

    @property
    def stable_name(self) -> str:
        """The stable environment's name."""
        return self.stable or next(iter(self.environments))

    @property
    def starting_weights(self) -> dict[str, float]:
        """Per cent for every environment, in their order; together 100."""
        given = self.weights or {self.stable_name: float(FULL_WEIGHT)}
        return {name: given.get(name, 0.0) for name in self.environments}


def check_weights(weights: dict[str, float], environments: dict[str, Environment] | tuple[str, ...]) -> None:
    """Raise ``ValueError`` unless ``weights`` are shares, in per cent, of known environments and together 100."""
    unknown = [name for name in weights if name not in environments]
    if unknown:
        raise ValueError(f"weights name {unknown[0]!r}, which is no environment; there are {', '.join(environments)}")
    for name, weight in weights.items():
        if not 0 <= weight <= FULL_WEIGHT or round(weight, WEIGHT_DIGITS) != weight:
            raise ValueError(f"the weight of {name} should be 0 to 100 with at most {WEIGHT_DIGITS} decimals")
    total = round(sum(weights.values()), WEIGHT_DIGITS)
    if total != FULL_WEIGHT:
        raise ValueError(f"weights are together {total:g}; they should be 100")
