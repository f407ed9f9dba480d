"""When Envoy has a part in traces, and what it is told then."""

from __future__ import annotations

from typing import Any

import pytest

from podium.config.settings import Settings
from podium.gateway.resources import CLUSTER, LISTENER, documents
from podium.gateway.snapshot import snapshot_of
from podium.gateway.topology import Topology, topology_of
from podium.gateway.tracing import COLLECTOR


def described(**telemetry: Any) -> Topology:
    environments = {"blue": {"endpoints": ["http://127.0.0.1:8000"]}}
    settings = Settings.model_validate({"gateway": {"environments": environments}, "telemetry": telemetry})
    return topology_of(settings, attempts_log="/dev/null")


def connections(topology: Topology) -> dict[str, Any]:
    (listener,) = documents(topology)[LISTENER]
    found: dict[str, Any] = listener["filter_chains"][0]["filters"][0]["typed_config"]
    return found


def test_envoy_sends_spans_to_the_collector_of_the_settings() -> None:
    topology = described(otlp_endpoint="http://collector.example:4318/otlp/", trace_ratio=0.25)
    tracing = connections(topology)["tracing"]
    assert tracing["random_sampling"] == {"value": 25.0}
    service = tracing["provider"]["typed_config"]["http_service"]
    assert service["http_uri"]["uri"] == "http://collector.example:4318/otlp/v1/traces"
    (cluster,) = [each for each in documents(topology)[CLUSTER] if each["name"] == COLLECTOR]
    assert cluster["type"] == "STRICT_DNS"
    assert snapshot_of(topology).version != snapshot_of(described()).version


@pytest.mark.parametrize(
    "telemetry",
    [
        {},
        {"otlp_endpoint": "https://collector.example"},
        {"otlp_endpoint": "http://collector.example", "otlp_headers_file": "headers"},
    ],
)
def test_otherwise_a_trace_passes_as_it_is(telemetry: dict[str, Any]) -> None:
    topology = described(**telemetry)
    assert "tracing" not in connections(topology)
    assert all(each["name"] != COLLECTOR for each in documents(topology)[CLUSTER])
