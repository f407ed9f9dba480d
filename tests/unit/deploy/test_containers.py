"""Image recipes, compose file and unit agree with the repository and with the program; they are not built here."""

from __future__ import annotations

import fnmatch
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer

from podium.cli.main import app
from podium.config.settings import Settings
from podium.deploy import places
from podium.supervisor.stack import REPLICA_GRACE_SECONDS
from support.source import ROOT

FOLDER = ROOT / "deploy"
RECIPES = ("Dockerfile", "Dockerfile.gpu")


def _steps(recipe: str) -> list[tuple[str, str]]:
    """Instructions of a recipe, lines joined, comments left out."""
    text = re.sub(r"^#.*\n", "", (FOLDER / recipe).read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n", " ", text).splitlines()
    return [(line.split(maxsplit=1)[0], line.split(maxsplit=1)[1]) for line in lines if line.strip()]


def _copied(recipe: str) -> list[str]:
    """Sources that come from the repository."""
    words = [shlex.split(text) for name, text in _steps(recipe) if name == "COPY" and "--from" not in text]
    return [source for line in words for source in line[:-1]]


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_source_exists_and_is_sent_to_the_builder(recipe: str) -> None:
    ignored, *kept = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] not in {"", "#"}]
    allowed = {line.removeprefix("!") for line in kept if line.startswith("!")}
    assert ignored == "*"
    assert [source for source in _copied(recipe) if not (ROOT / source).exists()] == []
    assert set(_copied(recipe)) <= allowed


def test_nothing_is_sent_that_no_recipe_copies() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == {source for recipe in RECIPES for source in _copied(recipe)}
    assert not any(fnmatch.fnmatch(name, "*secret*") for name in allowed)


@pytest.mark.parametrize("recipe", RECIPES)
def test_dependencies_are_a_layer_before_the_source_and_all_of_them_have_hashes(recipe: str) -> None:
    steps = _steps(recipe)
    copies = [text for name, text in steps if name == "COPY" and "--from" not in text]
    assert copies[0].startswith("requirements/")
    assert copies[-1] == "src src"
    installs = re.findall(
        r"pip (?:--python \S+ )?install [^&]*", " ".join(text for name, text in steps if name == "RUN")
    )
    assert [line for line in installs if "--require-hashes" not in line and "--no-index" not in line] == []


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_program_gets_signals_as_a_user_of_its_own_and_nobody_probes_in_docker_s_way(recipe: str) -> None:
    steps = dict(_steps(recipe))
    assert (steps["ENTRYPOINT"], steps["CMD"]) == ('["podium"]', '["serve"]')
    assert steps["USER"] == f"{places.USER_ID}:{places.USER_ID}"
    assert steps["HEALTHCHECK"] == "NONE"
    assert "pip uninstall --yes pip" in " ".join(text for name, text in _steps(recipe) if name == "RUN")
    assert not re.search(r"password|secret|token|key", str(_steps(recipe)), re.IGNORECASE)


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_image_can_send_traces(recipe: str) -> None:
    """OpenTelemetry comes last: its messages and the older ones of xds-protos go to the same place."""
    installed = re.findall(r"/opt/podium/bin/python install [^&]*-r requirements/(\w+)\.lock", str(_steps(recipe)))
    assert installed == ["base", "otel"]


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_ports_are_the_defaults(recipe: str) -> None:
    server = Settings().server
    assert dict(_steps(recipe))["EXPOSE"] == f"{server.port} {server.admin_port}"


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_stage_that_is_an_image_is_pinned_by_tag_and_digest(recipe: str) -> None:
    bases = [text.split()[0] for name, text in _steps(recipe) if name == "FROM"]
    assert len(set(bases)) == 1
    assert re.fullmatch(r"docker\.io/library/python:3\.11\.[0-9]+-slim-bookworm@sha256:[0-9a-f]{64}", bases[0])


@pytest.mark.parametrize("recipe", RECIPES)
def test_folders_that_volumes_are_put_on_belong_to_the_user_that_serves(recipe: str) -> None:
    """A new volume takes the owner of the folder in the image."""
    made = next(text for name, text in _steps(recipe) if name == "RUN" and "install --directory" in text)
    assert f"--owner {places.USER_ID} --group {places.USER_ID}" in made
    assert {places.STATE_FOLDER, places.CACHE_FOLDER, Settings().deploy.weights.path} <= set(made.split())


UNITS = {"podium.service": "podium.yaml", "podium-gateway.service": "gateway.yaml"}
EACH_UNIT = pytest.mark.parametrize("unit", UNITS)
MOST_EXPOSURE = 2.0  # of 10; systemd calls less than 4 ok


def _unit(name: str) -> dict[str, str]:
    text = (FOLDER / name).read_text()
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


@EACH_UNIT
def test_the_command_of_a_unit_exists(unit: str) -> None:
    _, name, option, file = _unit(unit)["ExecStart"].split()
    found = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]
    assert option in {option for parameter in found.params for option in parameter.opts}
    assert file == f"/etc/podium/{UNITS[unit]}"


@EACH_UNIT
def test_a_unit_waits_for_the_drain_and_signals_its_program_alone(unit: str) -> None:
    settings = Settings()
    drains = {"podium.service": 0.0, "podium-gateway.service": settings.gateway.drain_seconds + 10.0}
    least = drains[unit] + settings.server.drain_seconds + REPLICA_GRACE_SECONDS
    assert int(_unit(unit)["TimeoutStopSec"]) >= least
    assert _unit(unit)["KillMode"] == "mixed"
    assert _unit(unit)["RestartPreventExitStatus"] == "2"


def _copied_unit(unit: str, folder: Path) -> str:
    """The unit with a program that is here, because only its own parts are looked at."""
    text = (FOLDER / unit).read_text().replace("/opt/podium/bin/podium", "/bin/true")
    (folder / unit).write_text(text)
    return unit


def _analyzed(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    analyze = shutil.which("systemd-analyze")
    if analyze is None:
        pytest.skip("systemd is not installed")
    return subprocess.run([analyze, *words], cwd=cwd, capture_output=True, text=True, check=False)


@EACH_UNIT
def test_systemd_understands_every_line_of_a_unit(unit: str, tmp_path: Path) -> None:
    done = _analyzed("verify", _copied_unit(unit, tmp_path), cwd=tmp_path)
    assert [line for line in done.stderr.splitlines() if unit in line] == []


@EACH_UNIT
def test_systemd_finds_a_unit_little_exposed(unit: str, tmp_path: Path) -> None:
    words = ("security", "--offline=true", f"--threshold={MOST_EXPOSURE * 10:.0f}", _copied_unit(unit, tmp_path))
    done = _analyzed(*words, cwd=tmp_path)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
