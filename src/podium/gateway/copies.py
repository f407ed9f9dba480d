"""Copies of requests: a cluster that is the controller's socket, and how many requests are copied to it.

The copy goes its own way; nobody waits for its answer, which Envoy throws away.
"""

from __future__ import annotations

from typing import Any

COPIES = "copies_"  # no environment's name holds an underscore
_MOST_AT_ONCE = 64
_CONNECT = "0.250s"


def cluster(socket: str) -> dict[str, Any]:
    """The controller's socket. Where it cannot follow, copies are dropped."""
    endpoint = {"endpoint": {"address": {"pipe": {"path": socket}}}}
    return {
        "name": COPIES,
        "type": "STATIC",
        "connect_timeout": _CONNECT,
        "circuit_breakers": {"thresholds": [{"max_requests": _MOST_AT_ONCE, "max_pending_requests": _MOST_AT_ONCE}]},
        "load_assignment": {"cluster_name": COPIES, "endpoints": [{"lb_endpoints": [endpoint]}]},
    }


def policy(units: int) -> dict[str, Any]:
    """Copy so many of 10,000 requests."""
    return {
        "cluster": COPIES,
        "runtime_fraction": {"default_value": {"numerator": units, "denominator": "TEN_THOUSAND"}},
        "disable_shadow_host_suffix_append": True,  # the server shall see the request as it came
    }
