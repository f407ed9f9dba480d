"""Envoy's own part in a trace: a span for each request, one for each attempt below it, and the collector's cluster."""

from __future__ import annotations

from typing import Any

from podium.gateway.topology import Endpoint, Tracing

COLLECTOR = "collector_"  # no environment's name holds an underscore
SERVICE = "podium-gateway"
_CONNECT = "0.250s"
_SEND = "1s"
_PER_CENT = 100.0


def cluster(tracing: Tracing) -> dict[str, Any]:
    """Where spans go. While it is away they are dropped, and requests know nothing of it."""
    place = Endpoint.parse(tracing.endpoint)
    address = {"socket_address": {"address": place.host, "port_value": place.port}}
    return {
        "name": COLLECTOR,
        "type": "STATIC" if place.is_ip else "STRICT_DNS",
        "connect_timeout": _CONNECT,
        "load_assignment": {
            "cluster_name": COLLECTOR,
            "endpoints": [{"lb_endpoints": [{"endpoint": {"address": address}}]}],
        },
    }


def tracing_of(tracing: Tracing) -> dict[str, Any]:
    """Members of the connection manager. A caller's trace says itself whether it is recorded."""
    uri = {"uri": f"{tracing.endpoint}/v1/traces", "cluster": COLLECTOR, "timeout": _SEND}
    provider = {
        "@type": "type.googleapis.com/envoy.config.trace.v3.OpenTelemetryConfig",
        "http_service": {"http_uri": uri},
        "service_name": SERVICE,
    }
    return {
        # Envoy would write its decision into a caller's request id that looks like a UUID.
        "request_id_extension": {
            "typed_config": {
                "@type": "type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig",
                "pack_trace_reason": False,
                "use_request_id_for_trace_sampling": False,
            }
        },
        "tracing": {
            "provider": {"name": "envoy.tracers.opentelemetry", "typed_config": provider},
            "random_sampling": {"value": tracing.ratio * _PER_CENT},
            "spawn_upstream_span": True,  # a server's span hangs below the attempt that reached it
        },
    }
