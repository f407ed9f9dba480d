"""What the check reads: plain manifests, lists, and Kustomize folders of the kind that we write."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.core.errors import ConfigurationError
from podium.deploy.lint.reading import read_sets

SERVICE = "apiVersion: v1\nkind: Service\nmetadata: {name: a}\n"


def _file(folder: Path, name: str, text: str) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_files_without_a_kustomization_are_one_set(tmp_path: Path) -> None:
    _file(tmp_path, "a.yaml", SERVICE + "---\n" + SERVICE.replace("name: a", "name: b") + "---\n")
    _file(tmp_path, "deeper/c.json", '{"kind": "Service", "metadata": {"name": "c"}}')
    _file(tmp_path, "values.yaml", "replicas: 3\n")
    (graph,) = read_sets(tmp_path).values()
    assert [(item.name, item.file) for item in graph.items] == [
        ("a", "a.yaml"), ("b", "a.yaml"), ("c", "deeper/c.json"),
    ]  # fmt: skip


def test_one_file_is_a_set_too(tmp_path: Path) -> None:
    _file(tmp_path, "all.yaml", SERVICE)
    _file(tmp_path, "other.yaml", SERVICE)
    (graph,) = read_sets(tmp_path / "all.yaml").values()
    assert [(item.name, item.file) for item in graph.items] == [("a", "all.yaml")]


def test_a_list_is_unfolded(tmp_path: Path) -> None:
    _file(tmp_path, "a.yaml", "kind: List\nitems:\n- {kind: Service, metadata: {name: a}}\n- {kind: Service}\n")
    (graph,) = read_sets(tmp_path).values()
    assert [str(item) for item in graph.items] == ["Service/a", "Service/"]


def test_a_list_of_one_kind_is_unfolded_too(tmp_path: Path) -> None:
    _file(tmp_path, "a.yaml", "apiVersion: apps/v1\nkind: DeploymentList\nitems: [{metadata: {name: a}}, null]\n")
    (graph,) = read_sets(tmp_path).values()
    assert [(str(item), item.at("apiVersion")) for item in graph.items] == [("Deployment/a", "apps/v1")]


def test_a_key_that_is_given_twice_is_no_manifest(tmp_path: Path) -> None:
    """Of two lists of variables only one would be looked at, and another one applied."""
    _file(tmp_path, "a.yaml", "kind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\nmetadata: {name: y}\n")
    with pytest.raises(ConfigurationError, match=r"metadata is given twice; keep one.*line 4"):
        read_sets(tmp_path)
    merged = "base: &b {x: 1}\ndeep: {deeper: &a {<<: *b, x: 2}}\nagain: {<<: *a, x: 3}\nkind: ConfigMap\n"
    _file(tmp_path, "a.yaml", merged)
    (graph,) = read_sets(tmp_path).values()
    assert graph.items[0].at("again", "x") == 3


def test_only_what_nothing_builds_on_is_a_set(tmp_path: Path) -> None:
    _file(tmp_path, "base/kustomization.yaml", "resources: [a.yaml]\n")
    _file(tmp_path, "base/a.yaml", "kind: Deployment\nmetadata: {name: a}\nspec: {}\n")
    _file(tmp_path, "one/kustomization.yaml", "resources: [../base]\nreplicas: [{name: a, count: 3}]\n")
    _file(tmp_path, "two/kustomization.yaml", "resources: [../base]\n")
    sets = read_sets(tmp_path)
    assert {name: graph.items[0].at("spec", "replicas") for name, graph in sets.items()} == {"one": 3, "two": None}


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, "there is no manifest"),
        ({"a.yaml": "a: b\n"}, "there is no manifest"),
        ({"a.yaml": "a: [\n"}, "not YAML"),
        ({"a.yaml": "\xff"}, "not YAML"),
        ({"kustomization.yaml": "resources: [gone.yaml]\n"}, "no such file"),
        ({"kustomization.yaml": "- a\n"}, "should be a mapping with resources"),
        ({"kustomization.yaml": "resources: [.]\n"}, "is included by another one"),
        ({"kustomization.yaml": "resources: []\npatches: []\n"}, "uses patches, which this check does not understand"),
    ],
)
def test_what_cannot_be_read_is_told_with_what_to_do(tmp_path: Path, files: dict[str, str], said: str) -> None:
    for name, text in files.items():
        (tmp_path / name).write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        read_sets(tmp_path)
    assert said in caught.value.message or "cannot be read as UTF-8" in caught.value.message


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such folder"):
        read_sets(tmp_path / "gone")
