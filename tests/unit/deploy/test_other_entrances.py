"""Ingress, VirtualService and the cluster's own autoscaler: the same numbers in other words."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from podium.deploy.kubernetes.autoscaling import load_query
from support.deployments import FULL, INGRESS, ISTIO, Document, sets_of


def test_an_ingress_leads_to_our_own_gateways(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, INGRESS)["overlays/production"]
    (ingress,) = graph.of("Ingress")
    assert graph.of("HTTPRoute") == []
    (rule,) = ingress.entries("spec", "rules")
    assert rule["http"]["paths"][0]["backend"]["service"] == {"name": "podium", "port": {"number": 8080}}
    assert ingress.entries("spec", "tls") == [{"hosts": ["m.example"], "secretName": "m-example"}]


def test_a_virtual_service_has_the_weights_and_neither_limit_nor_retries(tmp_path: Path) -> None:
    (service,) = sets_of(tmp_path, ISTIO)["overlays/production"].of("VirtualService")
    *pinned, split = service.entries("spec", "http")
    assert [(each["destination"]["host"], each["weight"]) for each in split["route"]] == [
        ("podium-blue", 95),
        ("podium-green", 5),
    ]
    assert [rule["match"][0]["headers"]["x-podium-arm"]["exact"] for rule in pinned] == ["blue", "green"]
    assert {(rule["timeout"], rule["retries"]["attempts"]) for rule in [*pinned, split]} == {("0s", 0)}


@pytest.mark.parametrize(
    ("document", "kind", "rules"), [(ISTIO, "VirtualService", "http"), (FULL, "HTTPRoute", "rules")]
)
def test_nobody_chooses_a_version_where_the_gateway_lets_nobody(
    document: Document, kind: str, rules: str, tmp_path: Path
) -> None:
    closed = {**document, "gateway": {**document["gateway"], "pins": "nobody"}}
    (route,) = sets_of(tmp_path, closed)["overlays/production"].of(kind)
    assert len(route.entries("spec", rules)) == 1
    assert "x-podium-arm" not in str(route.value)


def test_the_autoscaler_follows_the_same_signal_as_keda(tmp_path: Path) -> None:
    graph = sets_of(tmp_path / "a", INGRESS)["overlays/production"]
    keda = sets_of(tmp_path / "b", FULL)["overlays/production"].of("ScaledObject")[0]
    scaler = graph.of("HorizontalPodAutoscaler")[0]
    assert (scaler.at("spec", "minReplicas"), scaler.at("spec", "maxReplicas")) == (2, 4)
    assert scaler.at("spec", "behavior") == keda.at("spec", "advanced", "horizontalPodAutoscalerConfig", "behavior")
    (metric,) = scaler.entries("spec", "metrics")
    threshold = keda.entries("spec", "triggers")[0]["metadata"]["threshold"]
    assert metric["external"]["target"] == {"type": "AverageValue", "averageValue": threshold}
    rules = graph.find("ConfigMap", "podium-adapter-rules", "podium")
    assert rules is not None
    (rule,) = yaml.safe_load(rules.at("data", "config.yaml"))["externalRules"]
    asked = rule["metricsQuery"].replace("<<.LabelMatchers>>", 'namespace="podium",environment="blue"')
    assert asked.replace(" by (<<.GroupBy>>)", "") == load_query("podium", "blue")
    assert metric["external"]["metric"]["name"] == rule["name"]["as"]
