"""docs/clouds.md: what it sets is understood, and the routes that it names are there and open."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Mapping

import pytest
import yaml

from podium.config.settings import Settings
from podium.config.sources import load
from support.http_routes import routes
from support.source import ROOT

PAGE = (ROOT / "docs/clouds.md").read_text()


def _block(first: str) -> str:
    """The block that begins with ``first``."""
    found: list[str] = re.findall(r"```[a-z]+\n(.*?)```", PAGE, re.DOTALL)
    return next(text for text in found if text.startswith(first))


def _flag(name: str) -> str:
    words = shlex.split(next(line for line in PAGE.splitlines() if "gcloud ai models upload" in line))
    return next(word.partition("=")[2] for word in words if word.startswith(f"--{name}="))


def _vertex() -> dict[str, str]:
    separator, text = re.fullmatch(r"\^(.)\^(.*)", _flag("container-env-vars")).groups()  # type: ignore[union-attr]
    return dict(pair.split("=", 1) for pair in text.split(separator))


AZURE = yaml.safe_load(_block("$schema"))
AZURE_ROUTES = AZURE["environment"]["inference_config"]
PLATFORMS: Mapping[str, tuple[dict[str, str], int, set[str]]] = {
    "sagemaker": (json.loads(_block("{"))["Environment"], 8080, {"/ping", "/invocations"}),
    "vertex": (
        _vertex(),
        int(_flag("container-ports")),
        {_flag("container-health-route"), _flag("container-predict-route")},
    ),
    "azure": (
        AZURE["environment_variables"],
        AZURE_ROUTES["scoring_route"]["port"],
        {route["path"] for route in AZURE_ROUTES.values()},
    ),
}
EACH = pytest.mark.parametrize("platform", PLATFORMS)


def _settings(platform: str) -> Settings:
    return load({}, None, PLATFORMS[platform][0]).settings


@EACH
def test_the_variables_open_the_port_that_is_asked_to_callers_without_keys(platform: str) -> None:
    settings = _settings(platform)
    assert (settings.server.host, settings.server.port) == ("0.0.0.0", PLATFORMS[platform][1])  # noqa: S104
    assert settings.access.anonymous == "everywhere"
    assert [model.name for model in settings.models] == ["my-model"]


@EACH
def test_the_routes_that_are_named_exist(platform: str) -> None:
    assert PLATFORMS[platform][2] <= {route.path for route in routes()}


def test_every_port_of_azure_is_the_servers() -> None:
    assert {route["port"] for route in AZURE_ROUTES.values()} == {_settings("azure").server.port}


def test_sagemaker_ends_a_container_after_its_streams() -> None:
    assert _settings("sagemaker").server.drain_seconds < 30  # seconds from SIGTERM to SIGKILL there
