"""``docs/deploy.md``: its figures are those of the raw file, its relations those of the code, its commands exist."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from podium.deploy.lint.rules.table import CLASSES
from podium.deploy.render import render, write
from support.deployments import FULL, files_of, settings_of
from support.page_commands import commands_in, unknown_options
from support.planted_faults import FAULTS
from support.source import ROOT

PAGE = (ROOT / "docs/deploy.md").read_text()
CONFIGURATIONS = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
RAW = json.loads((ROOT / "docs/benchmarks/raw/deploy-checkers-2026-11-28.json").read_text())


def _rows(first: str) -> dict[str, list[str]]:
    rows = re.findall(r"^\| (.*) \|$", PAGE[PAGE.index(first) :].split("\n\n")[0], re.MULTILINE)
    return {cells[0]: cells[1:] for cells in (row.split(" | ") for row in rows)}


def test_the_figures_are_those_of_the_raw_file() -> None:
    rows = _rows("| checker |")
    noticed = RAW["noticed"]
    assert rows["`podium deploy check`"] == [f"{noticed['podium']} of {RAW['faults']}", "0 findings"]
    assert rows["kubernetes-validate, strict, 1.32 to 1.37"] == [
        f"{noticed['kubernetes-validate']} of {RAW['faults']}", "0 problems",
    ]  # fmt: skip
    assert rows["checkov"] == [f"{noticed['checkov']} of {RAW['faults']}", RAW["checkov_on_good_sets"]]
    assert set(RAW["schema_problems_on_good_sets"].values()) == {0}
    assert RAW["findings_on_good_sets"] == 0


def test_the_page_of_measurements_says_the_same() -> None:
    page = (ROOT / "docs/benchmarks/deploy.md").read_text()
    sets, noticed = RAW["good_sets"], RAW["noticed"]
    for said in (
        f"| {RAW['checkov_on_good_sets']} |",
        f"0 problems in {sets} sets",
        f"| {RAW['custom_resources']} fit our models",
        f"0 findings in {sets} sets",
        f"| {noticed['podium']} of {RAW['faults']} |",
        f"checkov {noticed['checkov']}, kubernetes-validate {noticed['kubernetes-validate']}",
        f"| {RAW['render_seconds']:g} s |",
        f"checkov {RAW['recipes']['checkov']}",
    ):
        assert said in page, said


def test_the_raw_file_is_of_the_faults_that_are_planted_now() -> None:
    """After a change of them: ``scripts/manifest_checkers.py`` again."""
    assert set(RAW["by_fault"]) == {f"{rule}-{n}" for rule, plants in FAULTS.items() for n in range(len(plants))}


@pytest.mark.parametrize("text", [text for text in CONFIGURATIONS if "image: registry" in text])
def test_every_whole_configuration_on_the_page_can_be_rendered(text: str) -> None:
    assert "base/deployment.yaml" in render(settings_of(yaml.safe_load(text)), "cpu")


def test_an_overlay_of_one_s_own_is_built_as_the_page_shows_it(tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    write(files_of(FULL), tmp_path / "k8s")
    (tmp_path / "mine").mkdir()
    (shown,) = re.findall(r"```text\n(resources: .*?)```", PAGE, re.DOTALL)
    (tmp_path / "mine/kustomization.yaml").write_text(shown)
    built = subprocess.run([kubectl, "kustomize", tmp_path / "mine"], capture_output=True, text=True, check=True)
    changed = [each for each in yaml.safe_load_all(built.stdout) if "'tolerations'" in str(each)]
    assert [each["metadata"]["name"] for each in changed] == ["podium-blue"]
    write(files_of(FULL), tmp_path / "k8s")
    assert (tmp_path / "mine/kustomization.yaml").read_text() == shown


def test_every_class_of_rules_is_named() -> None:
    said = PAGE[PAGE.index("looks at objects together") :].split(". Each finding")[0].lower()
    words = {"security": "security context", "rollout": "rollouts"}
    assert [name for name in CLASSES if words.get(name, name) not in said] == []


@pytest.mark.parametrize("line", commands_in(PAGE))
def test_every_command_exists(line: str) -> None:
    assert unknown_options(line) == []
