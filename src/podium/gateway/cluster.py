"""The clusters: one for each environment, and a composite one that shields each but the stable one."""

from __future__ import annotations

from typing import Any

from podium.gateway import copies, tracing
from podium.gateway.composite import TYPE_URL
from podium.gateway.topology import Endpoint, Environment, Topology

METADATA = "podium"
_SHIELDED = "_shielded"  # no environment's name holds an underscore
_CONNECT = "0.250s"
_OPTIONS = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
_HTTP = {
    "@type": f"type.googleapis.com/{_OPTIONS}",
    "explicit_http_config": {"http_protocol_options": {"enable_trailers": True}},  # else they are thrown away unread
}


def cluster_for(name: str, stable: str) -> str:
    """The cluster that traffic for an environment is sent to."""
    return name if name == stable else f"{name}{_SHIELDED}"


def environment_of(cluster: str) -> str:
    """The environment that traffic for a cluster was meant for."""
    return cluster.removesuffix(_SHIELDED)


def clusters(topology: Topology) -> list[dict[str, Any]]:
    """All clusters, in a constant order."""
    bare = [_cluster(environment, topology) for environment in topology.environments]
    shields = [_shielded(name, topology.stable, topology) for name in topology.names if name != topology.stable]
    if topology.former not in {"", topology.stable}:
        shields.append(_shielded(topology.stable, topology.former, topology))
    others = [copies.cluster(topology.copies_socket)] if topology.copies_socket else []
    if topology.tracing is not None:
        others.append(tracing.cluster(topology.tracing))
    return bare + shields + others


def endpoints(topology: Topology) -> list[dict[str, Any]]:
    """The endpoints of every environment that is addressed by IP; names are looked up by their cluster itself."""
    return [
        _assignment(environment, draining=environment.name == topology.draining)
        for environment in topology.environments
        if _by_ip(environment)
    ]


def _cluster(environment: Environment, topology: Topology) -> dict[str, Any]:
    """The same settings for every environment, or their outcomes could not be compared."""
    most = topology.limits.max_requests
    return {
        "name": environment.name,
        **_discovery(environment),
        "connect_timeout": _CONNECT,
        "typed_extension_protocol_options": {_OPTIONS: _HTTP},
        "lb_policy": "LEAST_REQUEST",
        "ignore_health_on_host_removal": True,  # else a removed server that passes its check keeps its traffic
        "common_lb_config": {
            "healthy_panic_threshold": {"value": 0},  # the default of 50 % feeds dead servers
            # By default what is learned of other servers within a second is told to the workers at its end: until
            # then the server that came first is the only one they know, dead or not.
            "update_merge_window": "0s",
        },
        "circuit_breakers": {
            "thresholds": [
                {"max_connections": most, "max_pending_requests": most, "max_requests": most, "max_retries": most}
            ]
        },
        "health_checks": [_health_check(environment, topology.health_host)],
    }


def _discovery(environment: Environment) -> dict[str, Any]:
    if _by_ip(environment):
        source = {"resource_api_version": "V3", "ads": {}, "initial_fetch_timeout": "5s"}
        return {"type": "EDS", "eds_cluster_config": {"eds_config": source}}
    return {"type": "STRICT_DNS", "load_assignment": _assignment(environment)}


def _health_check(environment: Environment, host: str) -> dict[str, Any]:
    """A dead server refuses at once and is out after three checks; a busy one has time to answer and stays."""
    return {
        "timeout": "3s",
        "interval": "0.500s",
        "no_traffic_interval": "0.500s",
        "unhealthy_threshold": 3,
        "healthy_threshold": 1,
        "http_health_check": {"path": environment.health_path, "host": host},
    }


def _shielded(name: str, stable: str, topology: Topology) -> dict[str, Any]:
    """The first attempt goes to the environment, the second to ``stable``.

    Retries are counted on this cluster, and Envoy allows three at a time unless told otherwise: an environment
    that fails everything would show the rest of its failures.
    """
    return {
        "name": f"{name}{_SHIELDED}",
        "connect_timeout": _CONNECT,
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": {"thresholds": [{"max_retries": topology.limits.max_requests}]},
        "cluster_type": {
            "name": "envoy.clusters.composite",
            "typed_config": {"@type": TYPE_URL, "clusters": [{"name": name}, {"name": stable}]},
        },
    }


def _assignment(environment: Environment, *, draining: bool = False) -> dict[str, Any]:
    status = {"health_status": "DRAINING"} if draining else {}
    return {
        "cluster_name": environment.name,
        "endpoints": [
            {"lb_endpoints": [{**_lb_endpoint(endpoint, environment), **status} for endpoint in environment.endpoints]}
        ],
    }


def _lb_endpoint(endpoint: Endpoint, environment: Environment) -> dict[str, Any]:
    return {
        "endpoint": {"address": {"socket_address": {"address": endpoint.host, "port_value": endpoint.port}}},
        "metadata": {"filter_metadata": {METADATA: {"environment": environment.name}}},  # told in the attempts log
    }


def _by_ip(environment: Environment) -> bool:
    return all(endpoint.is_ip for endpoint in environment.endpoints)
