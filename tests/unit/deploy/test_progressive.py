"""Argo Rollouts and Flagger: what is lost is refused unless it is accepted, and the rest is what a cluster accepts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest

from podium.core.errors import ConfigurationError
from podium.deploy.lint.checking import check
from podium.deploy.lint.graph import Graph, Workload
from podium.deploy.lint.reading import read_sets
from podium.deploy.losses import LOSSES, Way
from podium.deploy.progressive import render_progressive
from podium.deploy.render import write
from support.command import Command
from support.crd_models import CUSTOM, check_custom
from support.deployments import (
    FULL,
    GPUS,
    LARGE,
    ONE,
    REDIS_IMAGE,
    SPREAD,
    UNSCALED,
    WAYS,
    Document,
    accepted,
    progressive_files,
    progressive_sets,
    settings_of,
)


def _set(folder: Path, way: Way, **deploy: Any) -> Graph:
    return progressive_sets(folder, way, **deploy)["rollout"]


@pytest.mark.parametrize(("way", "deploy"), WAYS.values(), ids=WAYS)
def test_every_object_fits_its_schema_and_the_check_finds_nothing(
    way: Way, deploy: dict[str, Any], tmp_path: Path
) -> None:
    sets = progressive_sets(tmp_path, way, **deploy)
    assert check(sets) == []
    for item in (item for graph in sets.values() for item in graph.items):
        if item.kind in CUSTOM:
            check_custom(dict(item.value))
        else:
            kubernetes_validate.validate(dict(item.value), "1.37", strict=True)


@pytest.mark.parametrize("way", ["argo", "flagger"])
def test_a_loss_of_safety_is_refused_until_each_is_accepted(way: Way) -> None:
    *most, last = accepted(way)
    with pytest.raises(ConfigurationError, match=f"(?s){last}: .*--accept-loss {last}.*splitter") as refused:
        render_progressive(settings_of(ONE, **UNSCALED), "cpu", way, most)
    assert not any(f"{name}:" in refused.value.message for name in most)


def test_a_loss_that_there_is_not_is_no_loss() -> None:
    with pytest.raises(ConfigurationError, match="--accept-loss sheild: argo loses nothing of that name"):
        render_progressive(settings_of(ONE), "cpu", "argo", ["sheild"])


def test_the_rollouts_pods_are_the_deployments_and_each_step_waits_for_the_verdict(tmp_path: Path) -> None:
    graph = _set(tmp_path, "argo", **UNSCALED)
    (rollout,) = graph.of("Rollout")
    as_deployment = {**rollout.value, "apiVersion": "apps/v1", "kind": "Deployment"}
    spec = {name: value for name, value in rollout.mapping("spec").items() if name != "strategy"}
    kubernetes_validate.validate({**as_deployment, "spec": spec}, "1.37", strict=True)
    steps = rollout.entries("spec", "strategy", "canary", "steps")
    assert [step.get("setWeight") for step in steps] == [5, None, 25, None, 50, None]
    assert all(step["analysis"]["templates"] == [{"templateName": "podium-verdict"}] for step in steps[1::2])
    assert rollout.at("spec", "strategy", "canary", "scaleDownDelaySeconds") >= 300
    assert rollout.at("spec", "replicas") == 2


def test_pods_of_the_old_version_keep_their_configuration(tmp_path: Path) -> None:
    """One that starts during a rollout, or after it was given up, would be the new version otherwise."""
    known: dict[str, str] = {}
    for source in ("openai-community/gpt2", "openai-community/gpt2-medium"):
        document = {**ONE, "models": [{"name": "gpt2", "source": source}]}
        write(progressive_files("argo", document=document, **UNSCALED), tmp_path)
        graph = read_sets(tmp_path)["rollout"]
        workload = Workload(graph.of("Rollout")[0])
        name = workload.volumes["config"]["configMap"]["name"]
        config = graph.find("ConfigMap", name, "podium")
        assert config is not None
        assert config.at("immutable") is True
        assert source in config.at("data", "podium.yaml")
        assert graph.find("ConfigMap", "podium-config", "podium") is None
        known[name] = source
    assert len(known) == 2


def test_a_rollback_is_asked_for_at_all_times_and_not_only_where_a_step_waits(tmp_path: Path) -> None:
    """Between two steps the next one's pods load, for minutes, while the canary serves."""
    graph = _set(tmp_path, "argo", **UNSCALED)
    (rollout,) = graph.of("Rollout")
    (template,) = rollout.entries("spec", "strategy", "canary", "analysis", "templates")
    guard = graph.find("AnalysisTemplate", template["templateName"], "podium")
    assert guard is not None
    (metric,) = guard.entries("spec", "metrics")
    assert (metric["failureCondition"], metric["failureLimit"]) == ('result == "ROLLBACK"', 0)
    assert "count" not in metric
    assert metric["consecutiveErrorLimit"] > 10_000  # a verdict that cannot be had is none against the canary


@pytest.mark.parametrize(("way", "asker"), [("argo", "argo-rollouts"), ("flagger", "flagger-system")])
def test_who_asks_for_the_verdict_is_let_in_where_its_project_installs_it(way: Way, asker: str, tmp_path: Path) -> None:
    policy = _set(tmp_path, way, **UNSCALED).find("NetworkPolicy", "podium-verdict", "podium")
    assert policy is not None
    (rule,) = policy.entries("spec", "ingress")
    assert rule["from"][0]["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": asker}


def test_one_owner_says_how_many_pods_the_rollout_has(tmp_path: Path) -> None:
    graph = _set(tmp_path, "argo")
    assert graph.of("Rollout")[0].at("spec", "replicas") is None
    assert graph.of("ScaledObject")[0].at("spec", "scaleTargetRef", "kind") == "Rollout"


def test_policies_and_monitor_mean_the_pods_that_flagger_makes(tmp_path: Path) -> None:
    """It copies the Deployment and changes the label `app` alone."""
    graph = _set(tmp_path, "flagger", **UNSCALED)
    target = Workload(next(item for item in graph.of("Deployment") if item.name == "podium-blue"))
    assert target.labels["app"] == "podium-blue"
    assert target.item.at("spec", "selector", "matchLabels") == {"app": "podium-blue"}  # it demands one label
    for kind in ("NetworkPolicy", "PodMonitor", "PodDisruptionBudget"):
        for item in graph.of(kind):
            assert "app" not in item.mapping("spec", "podSelector", "matchLabels")
            assert "app" not in item.mapping("spec", "selector", "matchLabels")
    names = [item.name for item in graph.of("Service")]
    assert "podium-blue" not in names
    assert graph.of("HTTPRoute") == []


def test_the_verdicts_account_may_look_and_nothing_else(tmp_path: Path) -> None:
    (role,) = _set(tmp_path, "argo").of("Role")
    assert {verb for rule in role.entries("rules") for verb in rule["verbs"]} == {"get", "list", "watch"}
    assert role.entries("rules")[1]["resourceNames"] == ["podium"]


REFUSED: list[tuple[str, Way, Document, str]] = [
    ("two environments", "argo", {"gateway": FULL["gateway"]}, "leave one environment"),
    ("gateways of our own", "argo", {"deploy": {**ONE["deploy"], "splitter": "gateway"}}, "set it to route"),
    (
        "no route",
        "flagger",
        {"deploy": {**ONE["deploy"], **UNSCALED, "route": {"kind": "none"}}},
        "set deploy.route.kind",
    ),
    ("a part of a per cent", "argo", {"rollout": {"steps": [0.5, 100.0]}}, "rollout.steps has 0.5"),
    ("no step", "argo", {"rollout": {"steps": [100.0]}}, "add a step before"),
    ("two scalers", "flagger", {}, "set deploy.autoscaling.kind to none"),
    ("a wall before the API server", "argo", {"deploy": FULL["deploy"]}, "deploy.network.api_server"),
]


@pytest.mark.parametrize(("way", "extra", "said"), [case[1:] for case in REFUSED], ids=[case[0] for case in REFUSED])
def test_what_could_not_run_there_is_refused(way: Way, extra: Document, said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        progressive_files(way, document={**ONE, **extra})


@pytest.mark.parametrize("way", ["argo", "flagger"])
def test_a_copy_of_several_nodes_is_no_deployment(way: Way) -> None:
    spread = {**ONE, "models": SPREAD["models"]}
    deploy = {**UNSCALED, "accelerators": SPREAD["deploy"]["accelerators"]}
    with pytest.raises(ConfigurationError, match=f"takes 2 nodes, and {way} rolls Deployments only"):
        progressive_files(way, "gpu", spread, **deploy)


def test_both_versions_need_their_gpus() -> None:
    redis = {"redis": {"url": "redis://127.0.0.1:6379/0"}}
    more = {**ONE["deploy"], **UNSCALED, "redis": {"image": REDIS_IMAGE}, "monitoring": "pod-monitor"}
    document = {**LARGE, **redis, "deploy": more}
    with pytest.raises(ConfigurationError, match=r"2 versions \* 2 \* pods does not hold: 7 against 8"):
        progressive_files("argo", "gpu", document, accelerators={**GPUS["accelerators"], "available": 7})
    assert progressive_files("argo", "gpu", document, **GPUS)


def test_the_command_writes_the_files_and_reports_every_loss(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "podium.yaml"
    file.write_text(json.dumps(ONE))
    command = Command(capsys)
    words = ["deploy", "argo", "--out", str(tmp_path / "k8s"), "--profile", "cpu", "--config", str(file)]
    refused = command(*words)
    assert refused.status == 2
    assert not (tmp_path / "k8s").exists()
    flags = [word for name in accepted("argo") for word in ("--accept-loss", name)]
    done = command(*words, *flags)
    assert done.status == 0, done.err
    assert all(f"lost: {loss.name}" in done.err for loss in LOSSES["argo"])
    told = json.loads(command(*words, *flags, "--json").out)
    assert [loss["name"] for loss in told["losses"]] == [loss.name for loss in LOSSES["argo"]]
    assert command("deploy", "check", str(tmp_path / "k8s")).status == 0
