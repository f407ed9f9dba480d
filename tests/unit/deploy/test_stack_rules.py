"""The check of compose files: silent on what we render, and each rule finds its fault, alone."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.core.errors import ConfigurationError
from podium.deploy.compose.document import write_compose
from podium.deploy.lint.checking import check
from podium.deploy.lint.rules.stack import RULES
from podium.deploy.lint.stack import read_stack
from support.stacks import FULL_STACK, STACKS, stack_files

Services = dict[str, Any]
Fault = Callable[[Services], Any]


def _set(service: str, **members: Any) -> Fault:
    return lambda services: services[service].update(members)


def _health(*words: str) -> Fault:
    return _set("blue", healthcheck={"test": ["CMD", *words]})


FAULTS: dict[str, list[Fault]] = {
    "stack-cut-streams": [
        lambda services: services["blue"].pop("stop_grace_period"),
        _set("blue", stop_grace_period="4m59s"),
        _set("gateway", stop_grace_period="299s"),
    ],
    "stack-no-health": [
        lambda services: services["blue"].pop("healthcheck"),
        _set("gateway", healthcheck={"disable": True}),
    ],
    "stack-health-is-readiness": [
        _health("curl", "-f", "http://127.0.0.1:8001/readyz"),
        _health("curl", "-f", "http://127.0.0.1:8000/v2/health/ready"),
        _set("blue", healthcheck={"test": "curl -f http://127.0.0.1:8000/health"}),
    ],
    "stack-open-port": [
        _set("redis", ports=["6379:6379"]),
        _set("blue", ports=[{"target": 8001, "published": "8001"}]),
        _set("prometheus", ports=["0.0.0.0:19090:9090/tcp"]),
    ],
    "stack-secret-written-out": [
        _set("blue", environment={"API_KEY": "abcdefgh"}),
        _set("redis", environment=["REDIS_PASSWORD=hunter2"]),
    ],
    "stack-image-moves": [_set("redis", image="redis"), _set("redis", image="localhost:5000/redis:latest")],
    "stack-owns-the-host": [
        _set("grafana", privileged=True),
        _set("prometheus", network_mode="host"),
        _set("grafana", volumes=["/var/run/docker.sock:/var/run/docker.sock:ro"]),
    ],
    "stack-rights": [
        _set("blue", read_only=False),
        lambda services: services["gateway"].pop("cap_drop"),
        _set("blue", user="root"),
    ],
    "stack-missing": [
        _set("blue", depends_on=["rediss"]),
        _set("blue", secrets=["nothing"]),
        lambda services: services["redis"]["networks"].append("nowhere"),
    ],
}
CASES = [(rule, number) for rule, faults in FAULTS.items() for number in range(len(faults))]
FINE: list[Fault] = [
    _health("curl", "-f", "http://127.0.0.1:8000/v2/health/live"),
    _set("redis", ports=["127.0.0.1:6379:6379"]),
    _set("blue", environment={"API_KEY": "${FROM_ELSEWHERE}", "OTHER_TOKEN": "/run/secrets/token"}),
    _set("redis", image="localhost:5000/redis:7.2"),
]


def _found(folder: Path, fault: Fault) -> set[str]:
    write_compose(stack_files(FULL_STACK), folder)
    file = folder / "compose.yaml"
    document = yaml.safe_load(file.read_text())
    fault(document["services"])
    file.write_text(yaml.safe_dump(document))
    stack = read_stack(folder)
    assert stack is not None
    return {finding.rule for finding in check({".": stack}, RULES)}


@pytest.mark.parametrize("name", STACKS)
def test_nothing_is_found_in_what_we_render(name: str, tmp_path: Path) -> None:
    document, profile, swarm = STACKS[name]
    write_compose(stack_files(document, profile, swarm=swarm), tmp_path)
    stack = read_stack(tmp_path)
    assert stack is not None
    assert check({".": stack}, RULES) == []


def test_every_rule_has_a_fault_that_it_finds() -> None:
    assert set(FAULTS) == {rule.id for rule in RULES}


@pytest.mark.parametrize(("rule", "number"), CASES)
def test_a_planted_fault_is_found_by_its_rule_alone(tmp_path: Path, rule: str, number: int) -> None:
    assert _found(tmp_path, FAULTS[rule][number]) == {rule}


@pytest.mark.parametrize("fine", FINE)
def test_what_is_right_in_another_way_is_let_be(tmp_path: Path, fine: Fault) -> None:
    assert _found(tmp_path, fine) == set()


def test_a_configuration_file_that_is_not_there_is_missed(tmp_path: Path) -> None:
    write_compose(stack_files(FULL_STACK), tmp_path)
    (tmp_path / "config/blue.yaml").unlink()
    stack = read_stack(tmp_path)
    assert stack is not None
    assert [each.message for each in check({".": stack}, RULES)] == ["the file ./config/blue.yaml is not there"]


@pytest.mark.parametrize("value", [None, 3, "x", ["x"], {"x": None}])
def test_wrong_types_anywhere_are_no_reason_to_fail(tmp_path: Path, value: object) -> None:
    members = ["image", "command", "healthcheck", "environment", "ports", "volumes", "configs", "networks", "user"]
    service = {**dict.fromkeys(members, value), "entrypoint": "podium serve --config x", "depends_on": value}
    (tmp_path / "compose.yml").write_text(json.dumps({"services": {"a": service, "b": value}}))
    stack = read_stack(tmp_path)
    assert stack is not None
    check({".": stack}, RULES)


def test_a_folder_without_a_compose_file_is_something_else(tmp_path: Path) -> None:
    assert read_stack(tmp_path) is None
    (tmp_path / "docker-compose.yml").write_text("services: {}")
    with pytest.raises(ConfigurationError, match="no service"):
        read_stack(tmp_path)
    (tmp_path / "docker-compose.yml").write_text("a: [")
    with pytest.raises(ConfigurationError, match="not YAML"):
        read_stack(tmp_path)


def test_the_file_itself_may_be_named(tmp_path: Path) -> None:
    write_compose(stack_files(FULL_STACK), tmp_path)
    assert read_stack(tmp_path / "compose.yaml") == read_stack(tmp_path) is not None
