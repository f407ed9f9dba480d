"""Rules and dashboards in a cluster: those of the export, with the labels that scrapes have there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podium.config.settings import Settings
from podium.deploy.lint.graph import Graph
from podium.deploy.prometheus.files import dashboard_text, rule_file
from podium.telemetry.table import METRICS
from support.deployments import FULL, GATEWAYS, INGRESS, OWN_WEIGHTS, SMALL, sets_of


def _rules(graph: Graph, name: str) -> dict[str, dict[str, Any]]:
    found = graph.find("PrometheusRule", name, "podium")
    assert found is not None
    rules = [rule for group in found.entries("spec", "groups") for rule in group["rules"]]
    return {rule.get("alert") or f"{rule['record']} {rule['expr']}": rule for rule in rules}


def test_the_rules_are_those_of_the_export_but_for_the_job_and_what_is_not_scraped(tmp_path: Path) -> None:
    """Where the Gateway of the cluster splits traffic there is no controller: alerts on its series could never fire."""
    rendered = _rules(sets_of(tmp_path, FULL)["overlays/production"], "podium")
    exported = {
        rule.get("alert") or f"{rule['record']} {rule['expr']}": rule
        for group in rule_file(Settings())["groups"]
        for rule in group["rules"]
    }
    of_the_controller = {
        "GatewayConfigRejected",
        "NoHealthyServer",
        "RetryOverflow",
        "RolloutStuck",
        "ModelsWithoutHistory",
    }
    of_the_controller.add("WebhookFailing")
    assert exported.keys() - rendered.keys() == of_the_controller | {"ScalerQueryEmpty"}
    changed = {name for name in rendered if rendered[name] != exported[name]}
    assert changed == {"ReplicaDown", "NoServers"}
    assert 'job="podium/podium"' in rendered["NoServers"]["expr"]
    unscraped = [metric.name for metric in METRICS if metric.owner == "monitor"]
    assert not [name for name in unscraped for rule in rendered.values() if name in rule["expr"]]


def test_with_gateways_of_our_own_what_only_the_controller_knows_is_scraped_and_judged(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, GATEWAYS)["overlays/production"]
    exported = {
        rule["alert"] for group in rule_file(Settings())["groups"] for rule in group["rules"] if "alert" in rule
    }
    rendered = {rule["alert"]: rule for rule in _rules(graph, "podium").values() if "alert" in rule}
    assert exported ^ rendered.keys() == {"ScalerQueryEmpty", "MonitorAway"}
    assert rendered["MonitorAway"]["expr"].startswith("absent(max(time() - podium_monitor_last_round_timestamp_seconds")
    monitor = graph.find("PodMonitor", "podium-controller", "podium")
    assert monitor is not None
    (endpoint,) = monitor.entries("spec", "podMetricsEndpoints")
    assert (endpoint["port"], endpoint["path"]) == ("admin", "/monitoring/metrics")
    (controller,) = [each for each in graph.workloads if each.item.name == "podium-controller"]
    (container,) = controller.containers
    assert f"--scraped=0.0.0.0:{container.ports['admin']}" in container.value["command"]
    policy = graph.find("NetworkPolicy", "podium-controller", "podium")
    assert policy is not None
    askers = [rule["from"] for rule in policy.entries("spec", "ingress") if rule["ports"][0]["port"] == "admin"]
    assert askers == [[{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "monitoring"}}}]]


def test_each_scaler_has_an_alert_on_its_own_query(tmp_path: Path) -> None:
    sets = sets_of(tmp_path, FULL)
    graph = sets["overlays/production"]
    rules = graph.find("PrometheusRule", "podium-scalers", "podium")
    assert rules is not None
    (group,) = rules.entries("spec", "groups")
    watched = {rule["labels"]["environment"]: rule["expr"] for rule in group["rules"]}
    asked = {
        scaler.name.removeprefix("podium-"): scaler.entries("spec", "triggers")[0]["metadata"]["query"]
        for scaler in graph.of("ScaledObject")
    }
    assert watched == {environment: f"absent({query})" for environment, query in asked.items()}
    assert sets["overlays/dev"].find("PrometheusRule", "podium-scalers", "podium") is None


def test_the_cluster_s_own_autoscaler_is_watched_too(tmp_path: Path) -> None:
    rules = _rules(sets_of(tmp_path, INGRESS)["overlays/production"], "podium-scalers")
    assert list(rules) == ["ScalerQueryEmpty"]


def test_the_dashboard_is_the_exported_one_with_the_label_that_grafana_looks_for(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, FULL)["overlays/dev"]
    board = graph.find("ConfigMap", "podium-dashboards", "podium")
    assert board is not None
    assert board.at("metadata", "labels") == {"grafana_dashboard": "1"}
    assert board.at("data") == {"podium.json": dashboard_text()}


def test_what_prometheus_selects_by_is_on_monitors_and_rules(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, OWN_WEIGHTS)["overlays/production"]
    found = {item.name: item.at("metadata", "labels") for item in graph.of("PodMonitor", "PrometheusRule")}
    wanted = {"release": "kube-prometheus-stack"}
    assert found == {"podium": wanted, "podium-scalers": wanted}


@pytest.mark.parametrize(
    ("document", "deploy"),
    [(FULL, {"rules": False, "dashboards": False}), (SMALL, {})],
    ids=["unwanted", "nothing is scraped"],
)
def test_without_them_there_are_none(document: dict[str, Any], deploy: dict[str, Any], tmp_path: Path) -> None:
    for graph in sets_of(tmp_path, document, **deploy).values():
        assert graph.of("PrometheusRule") == []
        assert graph.find("ConfigMap", "podium-dashboards", "podium") is None
