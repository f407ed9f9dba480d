"""One consistent state of everything that Envoy is told, versioned by its content."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from google.protobuf.any_pb2 import Any as Packed

from podium.core.errors import ConfigurationError
from podium.gateway.canonical import pack
from podium.gateway.resources import CLUSTER, ENDPOINT, LISTENER, ROUTE, documents, resources
from podium.gateway.topology import TOTAL_WEIGHT, Topology

_NEVER_EMPTY = (CLUSTER, LISTENER, ROUTE)
_VERSION_DIGITS = 16


@dataclass(frozen=True)
class Snapshot:
    """Packed resources and a version for each type. Equal content has the same version, on every run."""

    packed: Mapping[str, tuple[Packed, ...]]
    versions: Mapping[str, str]

    def has(self, kind: str) -> bool:
        """Whether there is anything of that type."""
        return bool(self.packed.get(kind))

    @property
    def version(self) -> str:
        """The version of the whole."""
        return _digest(version.encode() for _, version in sorted(self.versions.items()))


def snapshot_of(topology: Topology) -> Snapshot:
    """The snapshot of a topology."""
    return build(resources(documents(topology)), may_be_empty=topology.watched)


def build(messages: Mapping[str, Sequence[Any]], *, may_be_empty: bool = False) -> Snapshot:
    """A snapshot of Envoy's messages. ``may_be_empty``: an environment may have no endpoint.

    Raises ``ConfigurationError`` for what Envoy would accept and then serve nobody with: an empty list, a route to
    a cluster that is not there, weights with another total.
    """
    _check(messages, may_be_empty=may_be_empty)
    packed = {kind: tuple(pack(message) for message in entries) for kind, entries in messages.items()}
    versions = {kind: _digest(entry.value for entry in entries) for kind, entries in packed.items()}
    return Snapshot(packed, versions)


def _check(messages: Mapping[str, Sequence[Any]], *, may_be_empty: bool) -> None:
    for kind in _NEVER_EMPTY:
        if not messages.get(kind):
            raise ConfigurationError(f"The gateway would be told of no {_word(kind)} at all; that takes it down.")
    known = {cluster.name for cluster in messages[CLUSTER]}
    for assignment in messages.get(ENDPOINT, ()):
        if not may_be_empty and not any(group.lb_endpoints for group in assignment.endpoints):
            raise ConfigurationError(f"The environment {assignment.cluster_name!r} has no endpoint.")
    for route in _routes(messages[ROUTE]):
        unknown = sorted(set(_targets(route)) - known)
        if unknown:
            raise ConfigurationError(
                f"A route leads to an unknown cluster, {unknown[0]!r}; there are {', '.join(sorted(known))}."
            )
        weights = [entry.weight.value for entry in route.route.weighted_clusters.clusters]
        if weights and sum(weights) != TOTAL_WEIGHT:
            raise ConfigurationError(f"Weights of a route are together {sum(weights)}; they should be {TOTAL_WEIGHT}.")


def _routes(configurations: Sequence[Any]) -> Iterator[Any]:
    for configuration in configurations:
        for host in configuration.virtual_hosts:
            yield from host.routes


def _targets(route: Any) -> list[str]:
    weighted = [entry.name for entry in route.route.weighted_clusters.clusters]
    return weighted or [route.route.cluster]


def _word(kind: str) -> str:
    return kind.rpartition(".")[2]


def _digest(parts: Iterator[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part)
    return digest.hexdigest()[:_VERSION_DIGITS]
