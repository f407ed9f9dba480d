"""``podium deploy``: files for a cluster, the password of its Redis, and a check with a status that scripts can use."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from podium.deploy.lint.rules.table import RULES
from podium.deploy.losses import LOSSES
from support.command import Command
from support.deployments import FULL, GATEWAYS, LARGE, SMALL, accepted, files_of

ACCEPTED = [word for name in accepted("route") for word in ("--accept-loss", name)]


def _configured(document: dict[str, Any]) -> None:
    Path("podium.yaml").write_text(yaml.safe_dump(document))


def test_kubernetes_writes_the_files_and_names_them(command: Command) -> None:
    _configured(FULL)
    ended = command("deploy", "kubernetes", "--out", "k8s", "--profile", "cpu", *ACCEPTED)
    assert ended.status == 0
    assert ended.err.splitlines() == [f"warning: lost: {loss.name}: {loss.sentence}" for loss in LOSSES["route"]]
    assert ended.out.splitlines() == [f"k8s/{name}" for name in files_of(FULL)]
    assert all(Path(line).is_file() for line in ended.out.splitlines())


def test_kubernetes_writes_nothing_when_a_relation_fails(command: Command) -> None:
    _configured(FULL)
    ended = command(
        *("deploy", "kubernetes", "--out", "k8s", "--profile", "cpu", *ACCEPTED),
        *("--set", "deploy.timing.grace_seconds=40"),
    )
    assert ended.status == 2
    assert "does not hold: 40 against 10 + 300 + 20 = 330" in ended.err
    assert not Path("k8s").exists()


def test_kubernetes_takes_a_flag_over_the_file_and_tells_programs(command: Command) -> None:
    _configured(LARGE)
    available = ("--set", "deploy.accelerators.available=3")
    ended = command("deploy", "kubernetes", "--out", "k8s", "--profile", "gpu", *available, "--json")
    files = list(files_of(LARGE, "gpu", accelerators={"available": 3}))
    assert json.loads(ended.out) == {"folder": "k8s", "files": files, "losses": []}


def test_what_a_route_loses_between_two_environments_is_refused_until_each_loss_of_safety_is_accepted(
    command: Command,
) -> None:
    _configured(FULL)
    words = ("deploy", "kubernetes", "--out", "k8s", "--profile", "cpu")
    refused = command(*words, "--accept-loss", "shield")
    assert refused.status == 2
    assert "With weights of a route alone these would be lost:" in refused.err
    assert "--accept-loss confirmed-weights --accept-loss verdict)" in refused.err
    assert "deploy.splitter set to gateway" in refused.err
    assert not Path("k8s").exists()
    told = json.loads(command(*words, *ACCEPTED, "--json").out)
    assert [loss["name"] for loss in told["losses"]] == [loss.name for loss in LOSSES["route"]]


@pytest.mark.parametrize("document", [SMALL, GATEWAYS], ids=["one environment", "our own gateways"])
def test_where_nothing_is_lost_nothing_is_told_or_accepted(document: dict[str, Any], command: Command) -> None:
    _configured(document)
    words = ("deploy", "kubernetes", "--out", "k8s", "--profile", "cpu")
    ended = command(*words)
    assert (ended.status, ended.err) == (0, "")
    refused = command(*words, "--accept-loss", "shield")
    assert refused.status == 2
    assert "nothing is lost here" in refused.err


def test_a_profile_must_be_named(command: Command) -> None:
    assert command("deploy", "kubernetes", "--out", "k8s").status == 2


def test_check_finds_nothing_in_what_was_rendered(command: Command) -> None:
    _configured(FULL)
    command("deploy", "kubernetes", "--out", "k8s", "--profile", "cpu", *ACCEPTED)
    ended = command("deploy", "check", "k8s")
    assert (ended.status, ended.err) == (0, "")
    assert ended.out.startswith("findings: 0; sets: 3; ")
    assert ended.out.endswith(f"; rules: {len(RULES)}\n")


def _broken(command: Command) -> None:
    _configured(SMALL)
    command("deploy", "kubernetes", "--out", "k8s", "--profile", "cpu")
    path = Path("k8s/base/deployment.yaml")
    path.write_text(path.read_text().replace("runAsNonRoot: true", "runAsNonRoot: false"))


def test_check_says_what_why_and_what_to_do(command: Command) -> None:
    _broken(command)
    ended = command("deploy", "check", "k8s")
    assert ended.status == 1
    first = next(line for line in ended.out.splitlines() if "security-root" in line)
    where = ["overlays/dev", "Deployment/podium-blue", "spec.template.spec.containers[0].securityContext"]
    assert first.split() == ["error", "security-root", *where, "may", "run", "as", "root"]
    assert "security-root: A hole in a parser" in ended.out
    assert "findings: 2; sets: 2; " in ended.out


def test_check_tells_programs(command: Command) -> None:
    _broken(command)
    ended = command("deploy", "check", "k8s", "--json")
    told = json.loads(ended.out)
    assert ended.status == 1
    assert told["sets"] == ["overlays/dev", "overlays/production"]
    assert [finding["set"] for finding in told["findings"]] == told["sets"]
    assert told["findings"][0]["file"] == "base/deployment.yaml"


SARIF: dict[str, Any] = {
    "type": "object",
    "required": ["version", "runs"],
    "properties": {
        "version": {"const": "2.1.0"},
        "runs": {
            "items": {
                "required": ["tool", "results"],
                "properties": {
                    "tool": {"required": ["driver"]},
                    "results": {
                        "items": {
                            "required": ["ruleId", "ruleIndex", "message", "level", "locations"],
                            "properties": {"level": {"enum": ["error", "warning", "note"]}},
                        }
                    },
                },
            }
        },
    },
}


def test_check_speaks_sarif(command: Command) -> None:
    _broken(command)
    told = json.loads(command("deploy", "check", "k8s", "--sarif").out)
    jsonschema.validate(told, SARIF)
    (run,) = told["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [rule.id for rule in RULES]
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"] == "security-root"
        place = result["locations"][0]["physicalLocation"]
        assert Path(place["artifactLocation"]["uri"]).is_file()  # as seen from where the command was given
        assert place["region"] == {"startLine": 1}


def test_check_of_nothing_is_wrong_usage(command: Command) -> None:
    assert command("deploy", "check", "gone").status == 2


def test_secrets_are_made_once(command: Command) -> None:
    assert command("deploy", "secrets", "--out", "s").out.splitlines() == ["s/password", "s/users.acl"]
    again = command("deploy", "secrets", "--out", "s")
    assert again.status == 2
    assert "is there already" in again.err
