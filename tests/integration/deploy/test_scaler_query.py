"""The scaler's query, asked of a real Prometheus that reads a real server as the rendered PodMonitor says.

A query whose labels match nothing is the way in which such scalers fail without an error.
"""

from __future__ import annotations

import json
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.deploy.lint.graph import Graph
from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until
from support.deployments import FULL, GATEWAYS, sets_of
from support.prometheus import running_prometheus
from support.require import require_program

LONG = {"model": "echo", "prompt": "x" * 200, "max_tokens": 200, "stream": True}
BUSY = 3


def _scrape_of(monitor: dict[str, Any], target: str) -> dict[str, Any]:
    """What the operator makes of a PodMonitor for one pod of blue, as far as labels go."""
    endpoint = monitor["spec"]["podMetricsEndpoints"][0]
    pod = {
        "__meta_kubernetes_namespace": "podium",
        "__meta_kubernetes_pod_name": "podium-blue-1",
        "__meta_kubernetes_pod_label_podium_environment": "blue",
    }
    own = [
        {"source_labels": ["__meta_kubernetes_namespace"], "target_label": "namespace"},
        {"source_labels": ["__meta_kubernetes_pod_name"], "target_label": "pod"},
    ]
    rendered = [
        {"source_labels": each["sourceLabels"], "target_label": each["targetLabel"], "action": each["action"]}
        for each in endpoint["relabelings"]
    ]
    return {
        "job_name": f"{monitor['metadata']['namespace']}/{monitor['metadata']['name']}",
        "scrape_interval": "1s",
        "metrics_path": endpoint["path"],
        "static_configs": [{"targets": [target], "labels": pod}],
        "relabel_configs": [*own, *rendered],
    }


@pytest.fixture
def production(tmp_path: Path) -> Graph:
    return sets_of(tmp_path / "k8s", FULL)["overlays/production"]


def _query(graph: Graph, name: str) -> str:
    scaler = graph.find("ScaledObject", name, "podium")
    assert scaler is not None
    return str(scaler.at("spec", "triggers")[0]["metadata"]["query"])


def _stream(server: ServerProcess) -> None:
    with httpx.stream("POST", f"{server.traffic}/v1/completions", json=LONG, timeout=60.0, trust_env=False) as answer:
        for _ in answer.iter_lines():
            pass


def test_the_query_finds_the_load_of_its_own_environment_and_of_no_other(production: Graph, tmp_path: Path) -> None:
    require_program("prometheus")
    monitor = json.loads(json.dumps(dict(production.of("PodMonitor")[0].value)))
    with server_process() as server:
        scrape = _scrape_of(monitor, server.admin.removeprefix("http://"))
        with running_prometheus({"scrape_configs": [scrape]}, tmp_path) as prometheus:
            query = _query(production, "podium-blue")
            assert until("the query has a value", lambda: prometheus.ask(query), seconds=30) == [0.0]
            callers = [threading.Thread(target=_stream, args=(server,)) for _ in range(BUSY)]
            for caller in callers:
                caller.start()
            until("the load shows", lambda: (prometheus.ask(query) or [0.0])[0] > 0, seconds=30)
            for caller in callers:
                caller.join()
            assert prometheus.ask(_query(production, "podium-green")) == []


def test_the_rendered_rules_find_the_scrapes_that_the_rendered_monitor_makes(production: Graph, tmp_path: Path) -> None:
    """An alert on a job that no scrape has is quiet for ever."""
    require_program("prometheus")
    monitor = json.loads(json.dumps(dict(production.of("PodMonitor")[0].value)))
    files = []
    for rules in production.of("PrometheusRule"):
        files.append(f"{rules.name}.yml")
        (tmp_path / files[-1]).write_text(json.dumps(rules.at("spec")))
    with server_process() as server:
        scrape = _scrape_of(monitor, server.admin.removeprefix("http://"))
        config = {"global": {"evaluation_interval": "1s"}, "rule_files": files, "scrape_configs": [scrape]}
        with running_prometheus(config, tmp_path) as prometheus:
            until("it is scraped", lambda: prometheus.ask(_query(production, "podium-blue")), seconds=30)
            expressions = _alerts(production)
            up = expressions["ReplicaDown"].partition(" ==")[0]
            assert prometheus.ask(up) == [1.0]
            assert prometheus.ask(expressions["NoServers"]) == []
            blue, green = (expressions[f"ScalerQueryEmpty {name}"] for name in ("blue", "green"))
            assert (prometheus.ask(blue), prometheus.ask(green)) == ([], [1.0])


def test_a_controller_that_nobody_sees_or_that_stands_still_is_told(tmp_path: Path) -> None:
    rules = sets_of(tmp_path / "k8s", GATEWAYS)["overlays/production"].find("PrometheusRule", "podium", "podium")
    assert rules is not None
    (tmp_path / "rules.yml").write_text(json.dumps(rules.at("spec")))
    round_at = 'podium_monitor_last_round_timestamp_seconds{namespace="podium"}'
    stories: dict[str, tuple[dict[str, str], bool]] = {
        "goes on": ({round_at: "0+60x20"}, False),
        "stands still": ({round_at: "60+0x20"}, True),
        "is not seen": ({}, True),
    }
    tests = [
        {
            "name": name,
            "interval": "1m",
            "input_series": [{"series": series, "values": values} for series, values in given.items()],
            "alert_rule_test": [
                {"alertname": "MonitorAway", "eval_time": "15m", "exp_alerts": [_AWAY] if away else []}
            ],
        }
        for name, (given, away) in stories.items()
    ]
    content = {"rule_files": ["rules.yml"], "evaluation_interval": "1m", "tests": tests}
    (tmp_path / "tests.yml").write_text(json.dumps(content))
    words = [require_program("promtool"), "test", "rules", str(tmp_path / "tests.yml")]
    tested = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert tested.returncode == 0, tested.stdout + tested.stderr


_AWAY = {
    "exp_labels": {"severity": "ticket"},
    "exp_annotations": {
        "summary": "The controller does not tell what it sees: alerts that only it can judge are silent.",
        "runbook_url": "docs/runbooks.md#monitoraway",
    },
}


def _alerts(graph: Graph) -> dict[str, str]:
    """Expressions by alert, and by environment where there is one for each."""
    rules = [
        rule
        for item in graph.of("PrometheusRule")
        for group in item.entries("spec", "groups")
        for rule in group["rules"]
    ]
    return {
        f"{rule['alert']} {rule['labels'].get('environment', '')}".strip(): rule["expr"]
        for rule in rules
        if "alert" in rule
    }
