"""The routes: the only thing that a change of weights touches."""

from __future__ import annotations

from typing import Any

from podium.gateway import copies
from podium.gateway.cluster import cluster_for
from podium.gateway.topology import Environment, Topology
from podium.protocols.shadow import FIELD

ROUTES = "traffic"
SPLIT = "split"
"""Name of the route that divides traffic by weight; the others are pins."""
PIN_HEADER = "x-podium-arm"
USER_HEADER = "x-podium-user"

_OTHER_HOST = "envoy.retry_host_predicates.previous_hosts"
_OTHER_HOST_TYPE = "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate"
_REPORTS = {"header": {"key": "te", "value": "trailers"}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
_RETRY_ON = "connect-failure,refused-stream,reset-before-request,reset,gateway-error,retriable-status-codes"


def routes(topology: Topology) -> dict[str, Any]:
    """The route configuration.

    ``x-podium-arm: NAME`` reaches that environment bare: no shield, its failures visible, for testers. Where not
    everyone may do that, our own requests still do: checks, and copies that are compared. Everything else is split by
    weight; requests with the same ``x-podium-user`` go the same way, and who is in an environment stays in it when its
    weight grows (with two environments), because total and order never change.
    """
    pins = [pin for each in topology.environments for pin in _pins(each, topology)]
    return {
        "name": ROUTES,
        "validate_clusters": True,  # an unknown cluster is a NACK; without this it is 503 for everyone
        "virtual_hosts": [
            {
                "name": "all",
                "domains": ["*"],
                "routes": [*pins, _split(topology)],
                # Podium's servers report a stream's end in a trailer, to whoever asks; clients are sent none.
                "request_headers_to_add": [_REPORTS],
                "include_request_attempt_count": True,  # %UPSTREAM_REQUEST_ATTEMPT_COUNT% is 0 in an attempt's own line
            }
        ],
    }


def _pins(environment: Environment, topology: Topology) -> list[dict[str, Any]]:
    name = environment.name
    if topology.has_pins:
        return [_pin(name, {"prefix": "/"})]
    pins = [_pin(name, {"path": environment.health_path.partition("?")[0]})]
    if topology.shadow_key:
        pins.append(_pin(name, {"prefix": "/"}, _has(FIELD, topology.shadow_key)))
    return pins


def _pin(name: str, where: dict[str, Any], *more: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": f"pin-{name}",
        "match": {**where, "headers": [_has(PIN_HEADER, name), *more]},
        "route": {"cluster": name, "timeout": "0s"},
    }


def _has(header: str, value: str) -> dict[str, Any]:
    return {"name": header, "string_match": {"exact": value}}


def _split(topology: Topology) -> dict[str, Any]:
    weighted = [
        {"name": cluster_for(name, topology.stable), "weight": topology.weights[name]} for name in topology.names
    ]
    return {
        "name": SPLIT,
        "match": {"prefix": "/"},
        "request_body_buffer_limit": topology.limits.body_bytes,  # a longer body could not be sent again
        "route": {
            "timeout": "0s",  # the default of 15 s would cut streams, with status 200
            "weighted_clusters": {"use_hash_policy": True, "clusters": weighted},
            "hash_policy": [{"header": {"header_name": USER_HEADER}}],
            "retry_policy": _retries(topology),
            **({"request_mirror_policies": [copies.policy(topology.copied)]} if topology.copied else {}),
        },
    }


def _retries(topology: Topology) -> dict[str, Any]:
    """One more attempt, before the first byte only. On a shielded environment the second one goes to stable."""
    policy: dict[str, Any] = {
        "retry_on": _RETRY_ON,
        "retriable_status_codes": [500],
        "num_retries": 1,
        "retry_host_predicate": [{"name": _OTHER_HOST, "typed_config": {"@type": _OTHER_HOST_TYPE}}],
        # How often another server is looked for; then the same one again, which may be the only one. Least-request
        # prefers the failing server, which has the fewest requests: of two, it is drawn three times in four.
        "host_selection_retry_max_attempts": 64,
        "retry_back_off": {"base_interval": "0.010s", "max_interval": "0.100s"},
    }
    if topology.limits.first_byte_seconds:
        policy["per_try_timeout"] = f"{topology.limits.first_byte_seconds:.3f}s"
    return policy
