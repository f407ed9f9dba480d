"""``podium monitor export``: what it writes is taken by the programs that it is for, and its tests notice a fault."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.config.settings import Settings
from podium.deploy.prometheus.conditions import conditions_of
from podium.deploy.prometheus.files import monitoring_files, write
from podium.monitor.rules import rules_of
from support.require import require_program
from support.source import ROOT

EAGER = {
    "max_error_rate": 0.01, "max_p95_seconds": 2.5, "max_gpu_memory_ratio": 0.8, "max_kv_cache_ratio": 0.5,
    "min_cache_hit_rate": 0.3, "min_requests": 7, "min_cacheable_requests": 11, "stalled_seconds": 3,
    "objective": 0.995,
}  # fmt: skip


def exported(folder: Path, **monitor: Any) -> Path:
    write(monitoring_files(Settings.model_validate({"monitor": monitor})), folder)
    return folder


def done(*words: str | Path) -> subprocess.CompletedProcess[str]:
    program = require_program(str(words[0]))
    return subprocess.run([program, *map(str, words[1:])], capture_output=True, text=True, check=False, timeout=110)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return exported(tmp_path / "monitoring")


def test_prometheus_takes_the_rules_and_the_configuration(folder: Path) -> None:
    rules = done("promtool", "check", "rules", "--lint=all", "--lint-fatal", folder / "rules/podium.yml")
    assert rules.returncode == 0, rules.stdout + rules.stderr
    config = done("promtool", "check", "config", folder / "prometheus.yml")
    assert config.returncode == 0, config.stdout + config.stderr


def test_servers_elsewhere_are_named_and_local_ones_are_asked_for() -> None:
    """A ``podium up`` draws the ports of its replicas at each start."""
    far = {"endpoints": ["http://10.0.0.7:8000"], "metrics": ["http://10.0.0.7:8001"]}
    local = {"replicas": 2}

    def servers(**environments: Any) -> dict[str, Any]:
        settings = Settings.model_validate({"gateway": {"environments": environments}})
        job = yaml.safe_load(monitoring_files(settings, key_file="/k")["prometheus.yml"])["scrape_configs"][0]
        return {name: value for name, value in job.items() if name.endswith("_configs")}

    assert servers(far=far) == {"static_configs": [{"targets": ["10.0.0.7:8001"], "labels": {"environment": "far"}}]}
    (asked,) = servers(blue=local, far=far)["http_sd_configs"]
    assert asked["url"] == "http://127.0.0.1:8081/monitoring/targets"
    assert asked["authorization"] == {"credentials_file": "/k"}


def test_alertmanager_takes_its_configuration_with_receivers_and_without(tmp_path: Path) -> None:
    hook = {"url": "https://hooks.example/podium", "kind": "alertmanager"}
    for name, monitor in {"none": {}, "one": {"webhooks": [hook]}}.items():
        path = exported(tmp_path / name, **monitor) / "alertmanager.yml"
        checked = done("amtool", "check-config", path)
        assert checked.returncode == 0, checked.stdout + checked.stderr
        receivers = [each["name"] for each in yaml.safe_load(path.read_text())["receivers"]]
        assert ("podium" in receivers) == bool(monitor)


def test_every_alert_fires_is_quiet_and_ends_in_promtools_own_tests(folder: Path) -> None:
    tested = done("promtool", "test", "rules", folder / "rules/podium.test.yml")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_the_tests_go_with_other_thresholds_too(tmp_path: Path) -> None:
    tests = exported(tmp_path, **EAGER) / "rules/podium.test.yml"
    keep_tests_of(tests, "HighErrorRate", "HighLatencyP95", "CacheHitRateLow", "KvCacheFull", "ErrorBudgetBurn1h")
    tested = done("promtool", "test", "rules", tests)
    assert tested.returncode == 0, tested.stdout + tested.stderr


def keep_tests_of(path: Path, *alerts: str) -> None:
    """Leave the others out: every test evaluates all rules."""
    content = yaml.safe_load(path.read_text())
    content["tests"] = [test for test in content["tests"] if test["name"].startswith(alerts)]
    path.write_text(yaml.safe_dump(content))


def test_the_tests_notice_a_rule_that_was_changed_by_hand(folder: Path) -> None:
    rules, tests = folder / "rules/podium.yml", folder / "rules/podium.test.yml"
    rules.write_text(rules.read_text().replace("> 0.05", "> 0.95"))
    keep_tests_of(tests, "HighErrorRate")
    tested = done("promtool", "test", "rules", tests)
    assert tested.returncode == 1
    assert "HighErrorRate" in tested.stdout + tested.stderr


def test_every_embedded_rule_has_a_twin_with_its_severity_and_times() -> None:
    given = Settings().monitor
    twins = {condition.name: condition for condition in conditions_of(given)}
    for rule in rules_of(given):
        twin = twins[rule.name]
        assert (twin.severity, twin.for_seconds, twin.keep_seconds) == (
            rule.severity, rule.for_seconds, rule.keep_seconds,
        )  # fmt: skip


def test_every_alert_is_tested_in_every_way_that_it_has(folder: Path) -> None:
    names = [test["name"] for test in yaml.safe_load((folder / "rules/podium.test.yml").read_text())["tests"]]
    for condition in conditions_of(Settings().monitor):
        told = {name.partition(" ")[2] for name in names if name.startswith(condition.name + " ")}
        assert (
            {"fires", "is quiet", "says nothing without data"} <= told or condition.absent or told == {"fires always"}
        )
        counts = "increase" in condition.guard
        assert ("says nothing with little traffic" in told) == counts, condition.name


def test_thresholds_are_written_as_they_were_meant() -> None:
    queries = {each.name: each.query for each in conditions_of(Settings().monitor)}
    assert "> 0.144" in queries["ErrorBudgetBurn1h"]
    assert "> 0.05\n" in queries["HighErrorRate"]
    assert not [query for query in queries.values() if "00000" in query or "99999" in query]


def test_an_alert_that_is_turned_off_is_not_exported() -> None:
    given = Settings.model_validate({"monitor": {"max_error_rate": 1, "min_cache_hit_rate": 0, "objective": 0.9}})
    names = {each.name for each in conditions_of(given.monitor)}
    assert not {"HighErrorRate", "CacheHitRateLow", "ErrorBudgetBurn1h"} & names
    assert "ErrorBudgetBurn6h" in names


def test_no_annotation_shows_a_bare_number(folder: Path) -> None:
    rules = yaml.safe_load((folder / "rules/podium.yml").read_text())["groups"][1]["rules"]
    assert not [rule for rule in rules if "{{ $value }}" in json.dumps(rule["annotations"])]


def test_every_alert_has_a_heading_in_the_runbooks(folder: Path) -> None:
    page = (ROOT / "docs/runbooks.md").read_text()
    rules = yaml.safe_load((folder / "rules/podium.yml").read_text())["groups"][1]["rules"]
    headings = {line.removeprefix("## ") for line in page.splitlines() if line.startswith("## ")}
    assert {rule["alert"] for rule in rules} <= headings


def test_the_dashboard_asks_for_its_data_source_on_the_page(folder: Path) -> None:
    text = (folder / "grafana/podium.json").read_text()
    assert json.loads(text)["schemaVersion"] >= 39
    assert "__inputs" not in text
    assert "DS_PROMETHEUS" not in text
