"""Pods reach the OpenTelemetry collector that the settings name, and what is sent to it is what the settings say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.deploy.lint.graph import Graph
from support.deployments import FULL, GATEWAYS, MESHED, sets_of

IN_CLUSTER = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "observability"}}}
BESIDE = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "podium"}}}
VENDOR = {"network": "203.0.113.0/24", "port": 443}


def _sent_to(folder: Path, endpoint: str, **telemetry: Any) -> Graph:
    network = {**GATEWAYS["deploy"]["network"], "egress": [VENDOR, {"network": "10.9.0.0/16", "port": 9000}]}
    document = {**GATEWAYS, "telemetry": {"otlp_endpoint": endpoint, **telemetry}}
    return sets_of(folder, document, network=network)["overlays/production"]


def _ways(graph: Graph, policy: str, port: int) -> list[Any]:
    """Where the pods of a policy may go on a port."""
    found = graph.find("NetworkPolicy", policy, "podium")
    assert found is not None
    rules = found.entries("spec", "egress")
    return [peer for rule in rules if {"protocol": "TCP", "port": port} in rule["ports"] for peer in rule["to"]]


@pytest.mark.parametrize(
    ("endpoint", "port", "to"),
    [
        ("http://otel-collector.observability:4318", 4318, IN_CLUSTER),
        ("http://otel-collector.observability.svc:4318", 4318, IN_CLUSTER),
        ("http://otel-collector.observability.svc.cluster.local:4318", 4318, IN_CLUSTER),
        ("http://otel-collector:4318", 4318, BESIDE),
        ("http://10.1.2.3:4318", 4318, {"ipBlock": {"cidr": "10.1.2.3/32"}}),
        ("http://[fd00::7]:4318", 4318, {"ipBlock": {"cidr": "fd00::7/128"}}),
        ("http://collector.internal.example:9000", 9000, {"ipBlock": {"cidr": "10.9.0.0/16"}}),
        ("http://vendor.example.:9000", 9000, {"ipBlock": {"cidr": "10.9.0.0/16"}}),
    ],
)
def test_servers_and_gateways_reach_the_collector(endpoint: str, port: int, to: dict[str, Any], tmp_path: Path) -> None:
    graph = _sent_to(tmp_path, endpoint)
    assert to in _ways(graph, "podium", port)
    assert _ways(graph, "podium-gateway", port) == [to]
    assert to not in _ways(graph, "podium-controller", port) or "ipBlock" in to  # that is what all may call


@pytest.mark.parametrize(
    ("endpoint", "more"),
    [("https://otlp.vendor.example", {}), ("http://c.observability:443", {"otlp_headers_file": "/etc/podium/files/h"})],
    ids=["with TLS", "with a header"],
)
def test_gateways_that_make_no_spans_go_nowhere(endpoint: str, more: dict[str, Any], tmp_path: Path) -> None:
    graph = _sent_to(tmp_path, endpoint, **more)
    assert _ways(graph, "podium", 443)
    assert _ways(graph, "podium-gateway", 443) == []


def test_a_proxy_of_the_mesh_reaches_the_collectors_own(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, MESHED)["overlays/production"]
    assert _ways(graph, "podium", 4318) == [IN_CLUSTER]
    assert IN_CLUSTER in _ways(graph, "podium", 4143)


def test_servers_and_the_controller_are_told_of_it(tmp_path: Path) -> None:
    """The controller configures Envoy, which makes the gateway's spans."""
    graph = _sent_to(tmp_path, "http://otel-collector:4318", trace_ratio=0.1)
    for name in ("podium-config", "podium-gateway-config"):
        found = graph.find("ConfigMap", name, "podium")
        assert found is not None
        told = yaml.safe_load(found.at("data", "podium.yaml"))["telemetry"]
        assert told == {"otlp_endpoint": "http://otel-collector:4318", "trace_ratio": 0.1}


def test_without_a_collector_there_is_no_way_out(tmp_path: Path) -> None:
    assert _ways(sets_of(tmp_path, FULL)["overlays/production"], "podium", 4318) == []
