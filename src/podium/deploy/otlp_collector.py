"""The OpenTelemetry collector of the settings, as network policies can name it: a namespace, or addresses."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from podium.config.settings import Settings

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Collector:
    """Where it is: pods of ``namespace``, or ``networks``. ``port`` is that of its address."""

    port: int
    namespace: str = ""
    networks: tuple[str, ...] = ()


def collector_of(settings: Settings) -> Collector | None:
    """The collector, or None where nothing is sent to one.

    ``name``, ``name.namespace`` and ``name.namespace.svc…`` are Services of the cluster. Any other name is outside, a
    dot at its end makes it one; policies know no names, so its addresses are those of ``deploy.network.egress`` that
    have its port.
    """
    endpoint = settings.telemetry.otlp_endpoint
    if not endpoint:
        return None
    parts = urlsplit(endpoint)
    host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    if (address := _address(host)) is not None:
        return Collector(port, networks=(str(ipaddress.ip_network(address)),))
    labels = host.split(".")
    if len(labels) == 1:
        return Collector(port, namespace=settings.deploy.namespace)
    if labels[2:] == [] or labels[2] == "svc":
        return Collector(port, namespace=labels[1])
    listed = tuple(given.network for given in settings.deploy.network.egress if given.port == port)
    return Collector(port, networks=listed)


def collector_problems(settings: Settings) -> Iterator[str]:
    """Why pods could not reach it."""
    yield from own_collector_problems(settings)
    collector = collector_of(settings)
    if collector is not None and not collector.namespace and not collector.networks:
        host = urlsplit(settings.telemetry.otlp_endpoint).hostname
        yield (
            f"network policies would keep pods from telemetry.otlp_endpoint, and know no names: add the addresses of "
            f"{host} with port {collector.port} to deploy.network.egress"
        )


def own_collector_problems(settings: Settings) -> Iterator[str]:
    """Whether it is an address of the machine that the settings were written on."""
    endpoint = settings.telemetry.otlp_endpoint
    host = urlsplit(endpoint).hostname or ""
    address = _address(host)
    own = address is not None and (address.is_loopback or address.is_unspecified or address.is_link_local)
    if host == "localhost" or own:
        yield (
            f"telemetry.otlp_endpoint is {endpoint}, where a pod or container finds itself or its node; name the "
            "collector as it is known there, such as http://otel-collector.observability:4318"
        )


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
