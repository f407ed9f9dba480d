"""Image recipes, compose file and unit agree with the repository and with the program; they are not built here."""

from __future__ import annotations

import fnmatch
import re
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml

from podium.cli.main import app
from podium.config.settings import Settings
from podium.config.sources import load
from podium.deploy import places
from podium.deploy.kubernetes.redis import redis_arguments
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
def test_the_ports_are_the_defaults(recipe: str) -> None:
    server = Settings().server
    assert dict(_steps(recipe))["EXPOSE"] == f"{server.port} {server.admin_port}"


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "compose.yaml").read_text())["services"]
    return found


def test_every_file_that_compose_mounts_is_there_or_is_made_first() -> None:
    made = {"./secrets/password", "./secrets/users.acl", "./secrets/metrics-key"}
    mounted = {v.split(":")[0] for each in _compose().values() for v in each["volumes"] if v.startswith("./")}
    assert made <= mounted
    assert [path for path in sorted(mounted - made) if not (FOLDER / path).is_file()] == []
    assert "/deploy/secrets/" in (ROOT / ".gitignore").read_text().splitlines()


def test_compose_starts_redis_as_kubernetes_does() -> None:
    redis = _compose()["redis"]
    wanted = redis_arguments(512 * 1024**2, users=f"/etc/redis/users/{places.REDIS_USERS}", folder="/data")
    pairs = dict(zip(wanted[1::2], wanted[2::2], strict=True))
    given = dict(zip(redis["command"][1::2], redis["command"][2::2], strict=True))
    assert given == {name: value for name, value in pairs.items() if name not in {"--port", "--save"}}


def test_compose_gives_a_server_time_to_end(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    settings = load({}, FOLDER / "compose/podium.yaml", {}).settings
    server = _compose()["server"]
    assert int(server["stop_grace_period"].removesuffix("s")) >= settings.server.drain_seconds + REPLICA_GRACE_SECONDS
    targets = {volume.split(":")[1] for volume in server["volumes"]}
    assert settings.redis.password_file in targets
    assert server["command"][-1] in targets
    assert settings.server.cache_dir.startswith(places.CACHE_FOLDER)


def test_compose_has_no_right_that_a_pod_has_not() -> None:
    for service in _compose().values():
        assert service["cap_drop"] == ["ALL"]
        assert service["read_only"] is True
        assert service["security_opt"] == ["no-new-privileges:true"]
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", []))


def test_prometheus_reads_the_admin_port() -> None:
    scrape = yaml.safe_load((FOLDER / "compose/prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["static_configs"] == [{"targets": [f"server:{Settings().server.admin_port}"]}]
    mounted = {volume.split(":")[1] for volume in _compose()["prometheus"]["volumes"]}
    assert scrape["authorization"]["credentials_file"] in mounted


def _unit() -> dict[str, str]:
    text = (FOLDER / "podium.service").read_text()
    return dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE))


def test_the_commands_exist() -> None:
    command = typer.main.get_command(app)
    for words in (_unit()["ExecStart"].split()[1:], _compose()["server"]["command"]):
        found = command.commands[words[0]]  # type: ignore[attr-defined]
        assert words[1] in {name for parameter in found.params for name in parameter.opts}


def test_the_unit_waits_for_the_drain_and_signals_the_server_alone() -> None:
    unit = _unit()
    assert int(unit["TimeoutStopSec"]) >= Settings().server.drain_seconds + REPLICA_GRACE_SECONDS
    assert unit["KillMode"] == "mixed"
    assert unit["RestartPreventExitStatus"] == "2"


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    verify = shutil.which("systemd-analyze")
    if verify is None:
        pytest.skip("systemd is not installed")
    text = (FOLDER / "podium.service").read_text().replace("/opt/podium/bin/podium", "/bin/true")
    (tmp_path / "podium.service").write_text(text)
    done = subprocess.run(
        [verify, "verify", "podium.service"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if "podium.service" in line] == []
