"""The listener: where clients connect, and how much is believed of what they send."""

from __future__ import annotations

from typing import Any

from podium.config.access import is_loopback
from podium.gateway.access_log import access_log_of, file_logger
from podium.gateway.route import ROUTES
from podium.gateway.secret import transport_socket
from podium.gateway.topology import Topology
from podium.gateway.tracing import tracing_of

LISTENER = "ingress"
STAT_PREFIX = "gateway"

HEADERS_SECONDS = 5  # off by default in Envoy: a client that sends a header a minute would hold its place for ever
BUFFER_BYTES = 32 * 1024
STREAMS_PER_CONNECTION = 100
PROGRESS_SECONDS = 5.0
"""How often an attempt that runs has a line: a stream whose end nobody waits for has shown its first byte by then."""
_V3 = "type.googleapis.com/envoy.extensions"

ATTEMPT_FIELDS = {
    "moment": "%ACCESS_LOG_TYPE%",
    "began": "%START_TIME(%s.%6f)%",
    "request_id": "%REQ(X-REQUEST-ID)%",
    "route": "%ROUTE_NAME%",
    "environment": "%UPSTREAM_METADATA(podium:environment)%",
    "cluster": "%UPSTREAM_CLUSTER%",
    "host": "%UPSTREAM_HOST%",
    "attempt": "%REQ(X-ENVOY-ATTEMPT-COUNT)%",
    "code": "%RESPONSE_CODE%",
    "flags": "%RESPONSE_FLAGS%",
    "first_byte_us": "%COMMON_DURATION(US_TX_BEG:US_RX_BEG:us)%",
    "body_us": "%COMMON_DURATION(US_RX_BEG:US_RX_END:us)%",
    "duration_ms": "%DURATION%",
    "user": "%REQ(X-PODIUM-USER)%",
    "cache": "%RESP(X-PODIUM-CACHE)%",
    "report": "%RESP(X-PODIUM-ANSWER)%",
    "stream_report": "%TRAILER(X-PODIUM-ANSWER)%",
}
"""What is written about each attempt; ``podium.gateway.attempts`` reads it."""


def listener(topology: Topology) -> dict[str, Any]:
    """The one listener. It never depends on weights: a listener that changes would drain its streams."""
    return {
        "name": LISTENER,
        "address": {"socket_address": {"address": topology.listen.host, "port_value": topology.listen.port}},
        "per_connection_buffer_limit_bytes": BUFFER_BYTES,
        "filter_chains": [_chain(topology)],
    }


def _chain(topology: Topology) -> dict[str, Any]:
    filters = [{"name": "envoy.filters.network.http_connection_manager", "typed_config": _connections(topology)}]
    return {"filters": filters, **({"transport_socket": transport_socket()} if topology.has_tls else {})}


def _connections(topology: Topology) -> dict[str, Any]:
    """Settings of an edge; Envoy's defaults suit the inside of a network."""
    return {
        "@type": f"{_V3}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": STAT_PREFIX,
        "rds": {"route_config_name": ROUTES, "config_source": {"resource_api_version": "V3", "ads": {}}},
        "use_remote_address": True,
        # Envoy would write this machine's outward address for a client on loopback, who then looked like a stranger.
        # On loopback there are no other clients; what a proxy in front has written stays.
        "skip_xff_append": is_loopback(topology.listen.host),
        "normalize_path": True,
        "merge_slashes": True,
        "path_with_escaped_slashes_action": "UNESCAPE_AND_REDIRECT",
        "common_http_protocol_options": {"headers_with_underscores_action": "REJECT_REQUEST"},
        "http2_protocol_options": {"max_concurrent_streams": STREAMS_PER_CONNECTION},
        "request_headers_timeout": f"{HEADERS_SECONDS}s",
        "stream_idle_timeout": seconds(topology.limits.idle_seconds),
        "preserve_external_request_id": True,
        "always_set_request_id_in_response": True,
        "server_header_transformation": "PASS_THROUGH",
        **({} if topology.tracing is None else tracing_of(topology.tracing)),
        **access_log_of(topology.access_log),
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": _router(topology)}],
    }


def _router(topology: Topology) -> dict[str, Any]:
    return {
        "@type": f"{_V3}.filters.http.router.v3.Router",
        "suppress_envoy_headers": True,
        "upstream_log_options": {
            "flush_upstream_log_on_upstream_stream": True,
            "upstream_log_flush_interval": seconds(PROGRESS_SECONDS),
        },
        "upstream_log": [file_logger(topology.attempts_log, ATTEMPT_FIELDS)],
    }


def seconds(value: float) -> str:
    """A duration as the JSON form of protocol buffers has it."""
    return f"{value:.3f}s"
