"""What is installed is known, safe and explained."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

from support.source import ROOT

# Lowest versions without a known hole that touches us.
FLOORS = {
    "starlette": "1.0.1",  # CVE-2026-48710
    "jinja2": "3.1.6",  # CVE-2025-27516
    "torch": "2.6",  # CVE-2025-32434
}
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
PINS = [*LOCKS, ROOT / "requirements/hf.constraints"]


def _project() -> dict[str, Any]:
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project


def _declared() -> dict[str, Requirement]:
    lists = [_project()["dependencies"], *_project()["optional-dependencies"].values()]
    requirements = [Requirement(line) for lines in lists for line in lines]
    return {requirement.name: requirement for requirement in requirements}


def _pinned(text: str) -> dict[str, Version]:
    return {name: Version(version) for name, version in re.findall(r"^([a-z0-9.-]+)==([^ ;\\\n]+)", text, re.MULTILINE)}


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_no_version_below_a_security_floor_is_allowed(name: str, floor: str) -> None:
    lowest = [Version(part.version) for part in _declared()[name].specifier if part.operator in {">=", "=="}]
    assert lowest
    assert min(lowest) >= Version(floor)


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_no_locked_version_is_below_a_floor(path: Path) -> None:
    pinned = _pinned(path.read_text())
    assert pinned
    assert {name for name, floor in FLOORS.items() if name in pinned and pinned[name] < Version(floor)} == set()


def test_every_base_dependency_is_locked_in_an_allowed_version() -> None:
    pinned = _pinned((ROOT / "requirements/base.lock").read_text())
    for line in _project()["dependencies"]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pinned[requirement.name]), line


def test_every_dependency_of_the_hf_extra_is_pinned_in_an_allowed_version() -> None:
    pinned = _pinned((ROOT / "requirements/hf.constraints").read_text())
    for line in [*_project()["dependencies"], *_project()["optional-dependencies"]["hf"]]:
        requirement = Requirement(line)
        assert requirement.specifier.contains(pinned[requirement.name]), line


def test_the_base_install_has_no_torch() -> None:
    pinned = _pinned((ROOT / "requirements/base.lock").read_text())
    assert pinned.keys() & {"torch", "transformers", "optimum-intel", "vllm"} == set()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_hash(path: Path) -> None:
    text = path.read_text()
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert [block.split()[0] for block in blocks if "--hash=sha256:" not in block] == []


@pytest.mark.parametrize("path", PINS, ids=lambda path: path.name)
def test_a_lock_names_no_address(path: Path) -> None:
    assert re.findall(r"\S*(?:://| @ |--index|--find-links)\S*", path.read_text()) == []


def test_every_runtime_dependency_says_why() -> None:
    text = (ROOT / "pyproject.toml").read_text()
    block = text[text.index("\ndependencies = [") : text.index("[project.scripts]")]
    lines = [line for line in block.splitlines() if line.startswith('  "')]
    assert lines
    assert [line for line in lines if " # " not in line] == []


def test_nothing_that_others_built_lies_in_the_tree() -> None:
    """Packages, archives and weights are dependencies; only the demo model is ours (``scripts/demo_model``)."""
    built = {".whl", ".gz", ".zip", ".so", ".onnx", ".safetensors", ".bin", ".pt", ".exe"}
    ours = ROOT / "src/podium/models/demo"
    places = [path for path in ROOT.iterdir() if not path.name.startswith(".") and path.name not in {"build", "dist"}]
    files = [file for place in places for file in (place.rglob("*") if place.is_dir() else [place])]
    strange = [file.relative_to(ROOT) for file in files if file.suffix in built and file.parent != ours]
    assert [file for file in strange if not any(part.startswith(".") for part in file.parts)] == []  # those are caches
