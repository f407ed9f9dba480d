"""An environment with models of its own, beside one with those of all: the new version of a model in a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from podium.config.settings import Settings
from podium.controller.cluster_site import _revisions
from podium.deploy.lint.graph import Graph, Workload
from support.deployments import FOLDERS, FULL, VERSIONS, WEIGHTS_IMAGE, Document, sets_of, settings_of

NEXT = [{"name": "gpt2", "source": "openai-community/gpt2-medium"}]


def _with_green(models: list[dict[str, Any]], document: Document = FULL) -> Document:
    environments = {"blue": {"replicas": 1}, "green": {"replicas": 1, "models": models}}
    return {**document, "gateway": {"environments": environments}}


def _servers(folder: Path, document: Document) -> tuple[Workload, Workload]:
    graph = sets_of(folder, document)["overlays/dev"]
    blue, green = (item for item in graph.of("Deployment") if item.name in {"podium-blue", "podium-green"})
    return Workload(blue), Workload(green)


def _sources(graph: Graph, name: str) -> list[str]:
    config = graph.find("ConfigMap", name, "podium")
    assert config is not None
    return [model["source"] for model in yaml.safe_load(config.at("data", "podium.yaml"))["models"]]


def test_each_environment_reads_its_own_models(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, _with_green(NEXT))["overlays/dev"]
    blue, green = (Workload(item) for item in graph.of("Deployment"))
    names = [each.volumes["config"]["configMap"]["name"] for each in (blue, green)]
    assert names == ["podium-config", "podium-config-green"]
    assert _sources(graph, names[0]) == ["openai-community/gpt2", "/models/mine"]
    assert _sources(graph, names[1]) == ["openai-community/gpt2-medium"]


def test_a_new_model_of_one_environment_restarts_no_pod_of_the_other(tmp_path: Path) -> None:
    """Three models instead of none: other weights, another time to start, another configuration."""
    before = _servers(
        tmp_path / "a", {**FULL, "gateway": {"environments": {"blue": {"replicas": 1}, "green": {"replicas": 1}}}}
    )
    more = [*NEXT, {"name": "b", "source": "owner/b"}, {"name": "c", "source": "owner/c"}]
    after = _servers(tmp_path / "b", _with_green(more))
    blue, green = ([each.item.at("spec", "template") for each in pair] for pair in zip(before, after, strict=True))
    assert blue[0] == blue[1]
    assert green[0] != green[1]


def test_the_job_fetches_for_all_and_each_environment_waits_for_its_own(tmp_path: Path) -> None:
    sets = sets_of(tmp_path, _with_green(NEXT))
    *pulls, mark = Workload(sets["weights"].of("Job")[0]).containers
    assert [each.value["command"][-1] for each in pulls] == ["openai-community/gpt2", "openai-community/gpt2-medium"]
    servers = [Workload(item) for item in sets["overlays/dev"].of("Deployment")]
    waited = [each.containers[0].value["command"][4] for each in servers]
    assert mark.value["command"][-2:] == waited
    assert len(set(waited)) == 2


def test_an_environment_without_models_of_a_hub_waits_for_nothing(tmp_path: Path) -> None:
    blue, green = _servers(tmp_path, _with_green([{"name": "mine", "source": "/models/next"}]))
    assert [each.is_init for each in blue.containers] == [True, False]
    assert [each.is_init for each in green.containers] == [False]


def test_the_time_to_start_and_the_scaler_follow_from_the_environment_s_own_models(tmp_path: Path) -> None:
    graph = sets_of(tmp_path, _with_green(NEXT))["overlays/production"]
    blue, green = (
        Workload(item).serving[0].value["startupProbe"]["failureThreshold"] for item in graph.of("Deployment")
    )
    assert (blue, green) == (360, 180)
    full, half = (int(item.at("spec", "triggers")[0]["metadata"]["threshold"]) for item in graph.of("ScaledObject"))
    assert full // 2 == half


def test_weights_may_be_an_image_of_the_environment_s_own(tmp_path: Path) -> None:
    other = "registry.example/next@sha256:" + "d" * 64
    document = {
        **_with_green([{"name": "mine", "source": "/models/next"}], FOLDERS),
        "deploy": {**FOLDERS["deploy"], "environments": {"green": {"weights_image": other}}},
    }
    images = [each.volumes["weights"]["image"]["reference"] for each in _servers(tmp_path, document)]
    assert images == [WEIGHTS_IMAGE, other]


@pytest.mark.parametrize("document", [FULL, VERSIONS], ids=["models of all", "models of its own"])
def test_the_controller_names_a_version_by_the_models_that_it_serves(document: Document) -> None:
    def revisions(settings: Settings) -> dict[str, str]:
        return _revisions(settings)

    changed = _with_green([{"name": "gpt2", "source": "/models/other"}], document)
    before, after = revisions(settings_of(document)), revisions(settings_of(changed))
    assert before["blue"] == after["blue"]
    assert before["green"] != after["green"]
