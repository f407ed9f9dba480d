"""A topology as Envoy's own message types, by the type under which Envoy asks for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from envoy.config.cluster.v3.cluster_pb2 import Cluster
from envoy.config.endpoint.v3.endpoint_pb2 import ClusterLoadAssignment
from envoy.config.listener.v3.listener_pb2 import Listener
from envoy.config.route.v3.route_pb2 import RouteConfiguration

# Looked up by name while rendering: an ``Any`` can hold only what has been imported.
from envoy.config.trace.v3 import opentelemetry_pb2  # noqa: F401
from envoy.extensions.access_loggers.file.v3 import file_pb2  # noqa: F401
from envoy.extensions.access_loggers.stream.v3 import stream_pb2  # noqa: F401
from envoy.extensions.filters.http.router.v3 import router_pb2  # noqa: F401
from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2  # noqa: F401
from envoy.extensions.request_id.uuid.v3 import uuid_pb2  # noqa: F401
from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3 import tls_pb2  # noqa: F401
from envoy.extensions.transport_sockets.tls.v3.secret_pb2 import Secret
from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2  # noqa: F401
from google.protobuf.json_format import ParseDict

from podium.gateway import composite
from podium.gateway.cluster import clusters, endpoints
from podium.gateway.listener import listener
from podium.gateway.route import routes
from podium.gateway.secret import secrets
from podium.gateway.topology import Topology

_PREFIX = "type.googleapis.com/envoy.config"
CLUSTER = f"{_PREFIX}.cluster.v3.Cluster"
ENDPOINT = f"{_PREFIX}.endpoint.v3.ClusterLoadAssignment"
LISTENER = f"{_PREFIX}.listener.v3.Listener"
ROUTE = f"{_PREFIX}.route.v3.RouteConfiguration"

CERTIFICATE = "type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret"

ORDER = (CLUSTER, ENDPOINT, CERTIFICATE, LISTENER, ROUTE)
"""Make before break: what is referred to comes before what refers to it."""

_KINDS = {
    CLUSTER: Cluster,
    ENDPOINT: ClusterLoadAssignment,
    CERTIFICATE: Secret,
    LISTENER: Listener,
    ROUTE: RouteConfiguration,
}


def documents(topology: Topology) -> dict[str, list[dict[str, Any]]]:
    """Everything that Envoy is told, in the JSON form of its documentation."""
    return {
        CLUSTER: clusters(topology),
        ENDPOINT: endpoints(topology),
        CERTIFICATE: secrets(topology.certificate),
        LISTENER: [listener(topology)],
        ROUTE: [routes(topology)],
    }


def resources(rendered: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, list[Any]]:
    """Documents as messages. Raises ``ParseError`` for a member that Envoy's types do not have (a bug)."""
    composite.register()
    return {kind: [ParseDict(entry, _KINDS[kind]()) for entry in entries] for kind, entries in rendered.items()}
