"""Rendering: the same bytes each time, every variety reads back, and what was not ours stays."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.api.roles import PROBES
from podium.config.settings import Settings
from podium.config.sources import load
from podium.core.errors import ConfigurationError
from podium.deploy import gateway_settings, pod_settings, sources
from podium.deploy.lint.graph import Graph, Workload, at
from podium.deploy.render import write
from podium.models.source import _HUB_ID as HUB_ID
from podium.server.server import model_roots
from support.deployments import FULL, GATEWAYS, OUTSIDE, SMALL, VARIETIES, files_of, sets_of
from support.source import ROOT

GOLDEN = ROOT / "tests/golden/kubernetes"


@pytest.mark.parametrize("name", ["full-cpu", "full-gpu", "gateways-cpu"])
def test_the_files_are_the_golden_files(name: str) -> None:
    """After a wanted change: ``python -m support.golden_manifests`` in ``tests``, and review the difference."""
    document, profile = VARIETIES[name]
    golden = {str(p.relative_to(GOLDEN / name)): p.read_text() for p in sorted((GOLDEN / name).rglob("*.yaml"))}
    assert golden == dict(sorted(files_of(document, profile).items()))


@pytest.mark.parametrize("name", VARIETIES)
def test_rendering_twice_gives_the_same_bytes(name: str) -> None:
    document, profile = VARIETIES[name]
    assert list(files_of(document, profile).items()) == list(files_of(document, profile).items())


@pytest.mark.parametrize("name", VARIETIES)
def test_the_pods_configuration_loads_and_listens_where_the_probes_ask(name: str, tmp_path: Path) -> None:
    document, profile = VARIETIES[name]
    graph = sets_of(tmp_path, document, profile)["overlays/production"]
    server = next(w for w in graph.workloads if w.labels["app.kubernetes.io/component"] == "server")
    container = server.serving[0]
    text = graph.find("ConfigMap", "podium-config", "podium").at("data", "podium.yaml")  # type: ignore[union-attr]
    file = tmp_path / "pod.yaml"
    file.write_text(text)
    settings = load({}, file, {}).settings
    assert (settings.server.host, settings.server.admin_host) == ("0.0.0.0", "0.0.0.0")  # noqa: S104
    assert container.ports == {"http": settings.server.port, "admin": settings.server.admin_port}
    asked = {
        at(container.value, kind, "httpGet", "path") for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert asked == PROBES
    assert model_roots(settings) == ()  # the folders are not on this machine: the pod's own are found there


def test_an_environment_of_no_weight_stays_reachable_by_name(tmp_path: Path) -> None:
    document = {**FULL, "gateway": {**FULL["gateway"], "weights": {"blue": 100.0}}}
    route = sets_of(tmp_path, document)["overlays/production"].of("HTTPRoute")[0]
    *pinned, split = route.entries("spec", "rules")
    assert [rule["matches"][0]["headers"][0]["value"] for rule in pinned] == ["blue", "green"]
    assert [(ref["name"], ref["weight"]) for ref in split["backendRefs"]] == [
        ("podium-blue", 10000),
        ("podium-green", 0),
    ]


def test_weights_are_hundredths_of_a_per_cent(tmp_path: Path) -> None:
    document = {**FULL, "gateway": {**FULL["gateway"], "weights": {"blue": 99.99, "green": 0.01}}}
    split = sets_of(tmp_path, document)["overlays/dev"].of("HTTPRoute")[0].entries("spec", "rules")[-1]
    assert [ref["weight"] for ref in split["backendRefs"]] == [9999, 1]


def test_a_change_of_weights_changes_the_route_alone() -> None:
    moved = {**FULL, "gateway": {**FULL["gateway"], "weights": {"blue": 50.0, "green": 50.0}}}
    before, after = files_of(FULL), files_of(moved)
    assert [name for name in before if before[name] != after[name]] == ["base/httproute.yaml"]


def test_one_owner_says_how_many_pods_there_are(tmp_path: Path) -> None:
    sets = sets_of(tmp_path, FULL)
    assert _replicas(sets["overlays/dev"]) == {"podium-blue": 1, "podium-green": 1}
    assert _replicas(sets["overlays/production"]) == {"podium-blue": None, "podium-green": None}
    without = sets_of(tmp_path / "b", FULL, autoscaling={"kind": "none"})
    assert _replicas(without["overlays/production"]) == {"podium-blue": 2, "podium-green": 2}
    assert without["overlays/production"].of("ScaledObject") == []


def _replicas(graph: Graph) -> dict[str, int | None]:
    return {item.name: Workload(item).replicas for item in graph.of("Deployment")}


def test_an_environment_may_have_an_image_of_its_own(tmp_path: Path) -> None:
    other = "registry.example/next@sha256:" + "d" * 64
    graph = sets_of(tmp_path, FULL, environments={"green": {"image": other}})["overlays/dev"]
    images = {item.name: Workload(item).serving[0].value["image"] for item in graph.of("Deployment")}
    assert images["podium-green"] == other != images["podium-blue"]


def test_a_changed_configuration_is_a_new_rollout(tmp_path: Path) -> None:
    def mark(document: dict[str, Any], folder: str) -> object:
        graph = sets_of(tmp_path / folder, document)["overlays/dev"]
        return Workload(graph.of("Deployment")[0]).annotations["podium/config-sha256"]

    assert mark(FULL, "a") == mark(FULL, "b")
    assert mark(FULL, "c") != mark({**FULL, "cache": {"ttl_seconds": 60.0}}, "d")


def test_gateways_of_a_cluster_are_told_of_the_access_log(tmp_path: Path) -> None:
    document = {**GATEWAYS, "gateway": {**GATEWAYS["gateway"], "access_log": "stdout"}}
    maps = yaml.safe_load_all(files_of(document)["base/configmap.yaml"])
    (config,) = [each for each in maps if each["metadata"]["name"] == "podium-gateway-config"]
    file = tmp_path / "podium.yaml"
    file.write_text(config["data"]["podium.yaml"])
    assert load({}, file, {}).settings.gateway.access_log == "stdout"


def test_every_section_of_the_settings_reaches_a_pod_or_is_somebody_elses() -> None:
    """A section that is read here and told to nobody would be ignored without a word."""
    elsewhere = {"batches": "refused", "deploy": "what is rendered"}
    told = {*pod_settings.SERVING, *gateway_settings.CONTROLLING}
    assert told | elsewhere.keys() == set(Settings.model_fields)


def test_no_password_is_in_any_file() -> None:
    document = {**FULL, "redis": {"url": "redis://app:hunter2hunter2@127.0.0.1:6379/0"}}
    assert not [name for name, text in files_of(document).items() if "hunter2" in text]


def test_the_metadata_address_is_never_allowed(tmp_path: Path) -> None:
    policies = sets_of(tmp_path, OUTSIDE)["overlays/production"].of("NetworkPolicy")
    blocks = [
        peer["ipBlock"]
        for policy in policies
        for rule in policy.entries("spec", "egress")
        for peer in rule["to"]
        if "ipBlock" in peer
    ]
    assert {"cidr": "0.0.0.0/0", "except": ["169.254.169.254/32"]} in blocks


def test_the_job_has_a_container_for_each_download(tmp_path: Path) -> None:
    models = [{"name": name, "source": f"owner/{name}"} for name in ("a", "b", "c")]
    job = sets_of(tmp_path, {**FULL, "models": models})["weights"].of("Job")[0]
    *pulls, _mark = Workload(job).containers
    commands = [container.value["command"] for container in pulls]
    assert commands == [["podium", "models", "pull", f"owner/{name}"] for name in ("a", "b", "c")]


def test_hub_ids_are_what_the_server_takes_for_one() -> None:
    assert sources._HUB_ID.pattern == HUB_ID.pattern


def test_a_new_rendering_replaces_the_old_one(tmp_path: Path) -> None:
    write(files_of(FULL), tmp_path)
    write(files_of(SMALL), tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.yaml")}
    assert left == set(files_of(SMALL))


def test_a_file_of_somebody_else_is_never_touched(tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("kind: Secret\n")
    with pytest.raises(ConfigurationError, match=r"mine\.yaml was not written by this command"):
        write(files_of(SMALL), tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.yaml"]


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["a folder", "no text"])
def test_what_is_no_text_of_ours_is_never_touched(content: bytes | None, tmp_path: Path) -> None:
    place = tmp_path / "odd.yaml"
    place.mkdir() if content is None else place.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"odd\.yaml was not written by this command"):
        write(files_of(SMALL), tmp_path)


def test_a_file_in_the_place_of_the_folder_is_told(tmp_path: Path) -> None:
    place = tmp_path / "k8s"
    place.write_text("mine")
    with pytest.raises(ConfigurationError, match=r"k8s.* cannot be written: .*; name another folder with --out"):
        write(files_of(SMALL), place)
    assert place.read_text() == "mine"


@pytest.mark.parametrize("name", VARIETIES)
def test_overlays_are_built_as_kubectl_builds_them(name: str, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    document, profile = VARIETIES[name]
    for overlay, graph in sets_of(tmp_path, document, profile).items():
        done = subprocess.run(
            [kubectl, "kustomize", str(tmp_path / overlay)], capture_output=True, text=True, check=True
        )
        theirs = [each for each in yaml.safe_load_all(done.stdout) if each]
        assert sorted(map(_key, theirs)) == sorted(_key(item.value) for item in graph.items)
        assert {_key(each): each for each in theirs} == {_key(item.value): dict(item.value) for item in graph.items}


def _key(value: Any) -> tuple[str, str]:
    return value["kind"], value["metadata"]["name"]
