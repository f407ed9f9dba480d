"""What ``podium doctor`` says of the gateway: its program, its ports, its certificate."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass

from podium.cli.connection import is_listening
from podium.config.gateway import Gateway, split_address
from podium.core.errors import ConfigurationError
from podium.gateway.binary import envoy_binary, envoy_version
from podium.gateway.certificate import read_certificate


@dataclass(frozen=True)
class PortReport:
    """Whether a configured port is free."""

    setting: str
    port: int
    in_use: bool


@dataclass(frozen=True)
class GatewayReport:
    """Whether `podium up` could start its gateway here: the program and its version, and what is in its way."""

    can_run: bool
    binary: str | None
    version: str | None
    problems: list[str]


def gateway_report(gateway: Gateway, given: str | None) -> GatewayReport:
    """Look for the program (``given``: what ``ENVOY_PATH`` says) and read the certificate; nothing is started."""
    binary, version, problems = None, None, []
    try:
        path = asyncio.run(envoy_binary(given))
        binary, version = str(path), asyncio.run(envoy_version(path))
    except ConfigurationError as error:
        problems.append(error.message)
    try:
        if gateway.tls is not None:
            read_certificate(gateway.tls)
    except ConfigurationError as error:
        problems.append(error.message)
    return GatewayReport(not problems, binary, version, problems)


def gateway_ports(gateway: Gateway) -> Iterator[PortReport]:
    """Its two addresses."""
    for setting in ("listen", "control"):
        host, port = split_address(getattr(gateway, setting))
        yield PortReport(f"gateway.{setting}", port, in_use=bool(port) and is_listening(host, port))
