"""EndpointSlices (discovery.k8s.io/v1): the addresses behind Services."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

SERVICE_LABEL = "kubernetes.io/service-name"
_IPV4, _IPV6 = "IPv4", "IPv6"


class Server(NamedTuple):
    """One pod behind a Service. ``ready``: its readiness probe passes, and it is not leaving."""

    host: str
    port: int
    ready: bool


class Conditions(msgspec.Struct, frozen=True):
    """What is known of an endpoint. None is not known, which counts as ready and as staying."""

    ready: bool | None = None
    serving: bool | None = None
    terminating: bool | None = None


class SliceEndpoint(msgspec.Struct, frozen=True):
    """An endpoint; of several addresses all mean the same pod."""

    addresses: tuple[str, ...]
    conditions: Conditions = Conditions()


class Port(msgspec.Struct, frozen=True):
    """A port of all endpoints of the slice."""

    port: int | None = None
    name: str | None = None


class Metadata(msgspec.Struct, frozen=True):
    """Of a slice, or of a list in which only the version counts."""

    name: str = ""
    labels: dict[str, str] = {}
    resourceVersion: str = ""  # noqa: N815 - Kubernetes' own name
    next_page: str = msgspec.field(default="", name="continue")


class SliceHead(msgspec.Struct, frozen=True):
    """A slice of which only the name and the version are read."""

    metadata: Metadata


class EndpointSlice(msgspec.Struct, frozen=True):
    """A part of the endpoints of one Service, all in one family of addresses, which may be none that we know."""

    metadata: Metadata
    addressType: str = _IPV4  # noqa: N815
    endpoints: tuple[SliceEndpoint, ...] | None = None
    ports: tuple[Port, ...] | None = None

    @property
    def service(self) -> str:
        """The Service whose endpoints these are."""
        return self.metadata.labels.get(SERVICE_LABEL, "")


class EndpointSliceList(msgspec.Struct, frozen=True):
    """One page of a list."""

    metadata: Metadata
    items: tuple[msgspec.Raw, ...] | None = None


def servers_of(slices: Iterable[EndpointSlice], service: str, port_name: str) -> tuple[Server, ...]:
    """The pods of a Service that stay, each once, in a fixed order.

    One that is not ready yet is among them: whoever sends traffic checks for himself. One that leaves is not, unless no
    other is ready: then those that leave and still serve are better than nobody, as for Kubernetes' own proxies
    (KEP-1669). Where a Service has both families, IPv4 is taken: two addresses of one pod would look like two pods.
    """
    mine = [each for each in slices if each.service == service]
    family = _IPV4 if any(each.addressType == _IPV4 for each in mine) else _IPV6
    found = {
        (Server(endpoint.addresses[0], port.port, _is_ready(endpoint.conditions)), endpoint.conditions)
        for each in mine
        if each.addressType == family
        for port in each.ports or ()
        if port.name == port_name and port.port
        for endpoint in each.endpoints or ()
        if endpoint.addresses
    }
    staying = {server for server, conditions in found if not conditions.terminating}
    if not any(server.ready for server in staying):
        staying |= {server for server, conditions in found if conditions.terminating and conditions.serving}
    ready = {(server.host, server.port) for server in staying if server.ready}  # in two slices while it moves
    return tuple(sorted(each for each in staying if each.ready or (each.host, each.port) not in ready))


def _is_ready(conditions: Conditions) -> bool:
    return conditions.ready is not False and not conditions.terminating
