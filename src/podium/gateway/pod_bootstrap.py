"""What Envoy is given at its start in a pod: its controller is elsewhere, and others may ask how it is, no more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from podium.gateway.bootstrap import bootstrap_document, discovery_cluster
from podium.gateway.topology import Endpoint

_V3 = "type.googleapis.com/envoy.extensions"
_ADMIN = "admin"
ASKED = {
    "/startupz": "/hot_restart_version",  # answered as soon as the main thread runs
    "/livez": "/hot_restart_version",  # and for as long as it does
    "/readyz": "/ready",  # once it has its configuration; not any more when it drains
    "/clusters": "/clusters",
    "/stats": "/stats",
    "/stats/prometheus": "/stats/prometheus",
}
"""What may be asked, by ``GET`` alone, and what Envoy calls it. The rest of its interface ends or changes it."""


def pod_bootstrap(
    *, node: str, controller: Endpoint, status: Endpoint, admin_socket: Path, max_connections: int
) -> str:
    """The bootstrap, as JSON. ``controller`` is asked for the configuration; ``status`` is where questions come in."""
    address = {"socket_address": {"address": controller.host, "port_value": controller.port}}
    document = bootstrap_document(
        node, discovery_cluster(address, by_name=not controller.is_ip), admin_socket, max_connections
    )
    document["static_resources"]["clusters"].append(_admin_cluster(admin_socket))
    document["static_resources"]["listeners"] = [_status_listener(status)]
    return json.dumps(document, indent=1)


def _admin_cluster(socket: Path) -> dict[str, Any]:
    endpoint = {"endpoint": {"address": {"pipe": {"path": str(socket)}}}}
    return {
        "name": _ADMIN,
        "type": "STATIC",
        "connect_timeout": "1s",
        "load_assignment": {"cluster_name": _ADMIN, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def _status_listener(status: Endpoint) -> dict[str, Any]:
    method = {"name": ":method", "string_match": {"exact": "GET"}}
    routes = [
        {
            "match": {"path": path, "headers": [method]},
            "route": {"cluster": _ADMIN, "regex_rewrite": _rewrite(asked)},
        }
        for path, asked in ASKED.items()
    ]
    connections = {
        "@type": f"{_V3}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "status",
        "normalize_path": True,
        "request_headers_timeout": "5s",
        "route_config": {"virtual_hosts": [{"name": "status", "domains": ["*"], "routes": routes}]},
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_V3}.filters.http.router.v3.Router"},
            }
        ],
    }
    chain = {"filters": [{"name": "envoy.filters.network.http_connection_manager", "typed_config": connections}]}
    return {
        "name": "status",
        "address": {"socket_address": {"address": status.host, "port_value": status.port}},
        "ignore_global_conn_limit": True,  # else a full gateway could not be asked how it is, and would be restarted
        "filter_chains": [chain],
    }


def _rewrite(path: str) -> dict[str, Any]:
    """The whole path is another one; the query stays."""
    return {"pattern": {"regex": "^/[a-z/]*"}, "substitution": path}
