"""What Envoy is given at its start: where to ask for everything else, and its own limits."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NODE = "gateway"
PING_INTERVAL = "5s"
"""How often a gateway asks whether the connection to its controller lives."""
_OWNER_ONLY = 0o600
_RECONNECT = {"base_interval": "0.100s", "max_interval": "1s"}
"""To a controller that was restarted; up to 30 s by default, in which no rollout could take a canary's traffic away."""
_EXTENSIONS = "type.googleapis.com/envoy.extensions"


def bootstrap(*, xds_socket: Path, admin_socket: Path, max_connections: int) -> str:
    """The bootstrap, as JSON. Both sockets are Unix sockets: Envoy's admin interface knows no callers, only files."""
    cluster = discovery_cluster({"pipe": {"path": str(xds_socket)}})
    return json.dumps(bootstrap_document(NODE, cluster, admin_socket, max_connections), indent=1)


def bootstrap_document(
    node: str, discovery: dict[str, Any], admin_socket: Path, max_connections: int
) -> dict[str, Any]:
    """The bootstrap of the gateway ``node``, which asks the cluster ``discovery`` for everything else."""
    return {
        "node": {"id": node, "cluster": "podium"},
        "admin": {"address": {"pipe": {"path": str(admin_socket), "mode": _OWNER_ONLY}}},
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [
                    {"envoy_grpc": {"cluster_name": "xds", "retry_policy": {"retry_back_off": _RECONNECT}}}
                ],
            },
            "cds_config": {"resource_api_version": "V3", "ads": {}},
            "lds_config": {"resource_api_version": "V3", "ads": {}},
        },
        "static_resources": {"clusters": [discovery]},
        "overload_manager": _connection_limit(max_connections),
    }


def discovery_cluster(address: dict[str, Any], *, by_name: bool = False) -> dict[str, Any]:
    """Where to ask. ``by_name``: the address has a name, which is looked up again and again."""
    options = f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
    endpoint = {"endpoint": {"address": address}}
    return {
        "name": "xds",
        "type": "STRICT_DNS" if by_name else "STATIC",
        "connect_timeout": "1s",
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": options,
                "explicit_http_config": {
                    "http2_protocol_options": {"connection_keepalive": {"interval": PING_INTERVAL, "timeout": "2s"}}
                },
            }
        },
        "load_assignment": {"cluster_name": "xds", "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _connection_limit(most: int) -> dict[str, Any]:
    return {
        "resource_monitors": [
            {
                "name": "envoy.resource_monitors.global_downstream_max_connections",
                "typed_config": {
                    "@type": f"{_EXTENSIONS}.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig",
                    "max_active_downstream_connections": most,
                },
            }
        ]
    }
