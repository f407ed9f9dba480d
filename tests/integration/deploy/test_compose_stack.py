"""The rendered compose file, started without Docker: its own commands, users, files, volumes and health checks."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.deploy.compose.document import write_compose
from podium.deploy.secrets import write_stack_secrets
from support.compose_stack import run_stack
from support.deployments import IMAGE
from support.pod import require_namespaces
from support.require import require_program
from support.stacks import documents_of, stack_files

STACK: dict[str, Any] = {
    "models": [{"name": "demo", "source": "builtin:demo"}],
    "redis": {"url": "redis://127.0.0.1:6379/0"},
    "gateway": {"environments": {"blue": {"replicas": 1}, "green": {"replicas": 1}}, "weights": {"blue": 100.0}},
    "deploy": {"image": IMAGE},
}
STARTED = ["redis", "blue", "gateway", "prometheus", "alertmanager"]
"""All but green, whose ports are blue's, and Grafana, which is not to be had here."""


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What was seen of one run."""
    require_namespaces()
    for program in ("redis-server", "redis-cli", "prometheus", "prometheus-alertmanager", "wget"):
        require_program(program)
    if subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode:  # noqa: S607
        pytest.skip("network namespaces cannot be made here")
    folder = tmp_path_factory.mktemp("stack")
    files = stack_files(STACK)
    write_compose(files, folder)
    write_stack_secrets(folder / "secrets", "podium")
    document = documents_of(files)["compose.yaml"]
    stop = ["gateway", "blue", "alertmanager", "prometheus", "redis"]
    return run_stack(document, folder, services=STARTED, model="demo", stop=stop)


def test_a_request_passes_the_gateway_with_a_key_and_not_without(told: dict[str, Any]) -> None:
    assert told["without_key"] == 401
    status, answer = told["answer"]
    assert (status, answer["usage"]["completion_tokens"]) == (200, 4)


def test_health_checks_fail_until_there_is_something_to_check(told: dict[str, Any]) -> None:
    """And they pass when all runs, or the run would not have come to its end."""
    assert told["healthy_before"] == []


def test_prometheus_reads_servers_by_their_key_and_knows_rules_and_alertmanager(told: dict[str, Any]) -> None:
    assert ["blue", "1"] in told["up"]
    assert told["rules"] == 2


def test_the_gateway_is_steered_from_inside_its_container(told: dict[str, Any]) -> None:
    assert told["environments"] == ["blue", "green"]


def test_what_is_told_to_stop_ends_well(told: dict[str, Any]) -> None:
    assert told["ended"] == dict.fromkeys(("gateway", "blue", "alertmanager", "prometheus", "redis"), 0)


@pytest.mark.parametrize("swarm", [False, True])
def test_the_monitors_own_tools_accept_the_rendered_files(tmp_path: Path, *, swarm: bool) -> None:
    write_compose(stack_files(STACK, swarm=swarm), tmp_path)
    write_stack_secrets(tmp_path / "secrets", "podium")
    folder = tmp_path / "config/prometheus"
    shutil.copy(tmp_path / "secrets/metrics-key", folder / "metrics-key")
    file = folder / "prometheus.yml"
    file.write_text(file.read_text().replace("/etc/prometheus/", f"{folder}/"))
    for words in (
        [require_program("promtool"), "check", "config", str(file)],
        [require_program("amtool"), "check-config", str(tmp_path / "config/alertmanager.yml")],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
    assert yaml.safe_load(file.read_text())["rule_files"] == [f"{folder}/rules/podium.yml"]
