"""What a hosting platform's variables mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from podium.config.sources import load
from podium.core.errors import ConfigurationError

VERTEX = {
    "AIP_HTTP_PORT": "8080",
    "AIP_HEALTH_ROUTE": "/v1/endpoints/1/deployedModels/2",
    "AIP_PREDICT_ROUTE": "/v1/endpoints/1/deployedModels/2:predict",
    "AIP_STORAGE_URI": "",
    "AIP_MODE": "PREDICTION",
}


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_vertex_ai_says_where_to_listen_and_under_which_paths() -> None:
    loaded = load({}, None, VERTEX)
    server = loaded.settings.server
    assert (server.host, server.port) == ("0.0.0.0", 8080)  # noqa: S104
    assert server.path_aliases == {
        "/v1/endpoints/1/deployedModels/2": "/ping",
        "/v1/endpoints/1/deployedModels/2:predict": "/predict",
    }
    assert str(loaded.origin(("server", "port"), 8080)) == "environment AIP_HTTP_PORT"


def test_a_route_of_ours_needs_no_other_path() -> None:
    assert load({}, None, VERTEX | {"AIP_HEALTH_ROUTE": "/ping"}).settings.server.path_aliases.keys() == {
        "/v1/endpoints/1/deployedModels/2:predict"
    }


def test_the_platform_beats_the_file_and_our_own_variables_beat_the_platform() -> None:
    Path("podium.yaml").write_text("server: {port: 7000, host: 127.0.0.1}\n")
    assert load({}, None, VERTEX).settings.server.port == 8080
    assert load({}, None, VERTEX | {"PODIUM__SERVER__PORT": "9000"}).settings.server.port == 9000
    assert load({"server.port": 9001}, None, VERTEX).settings.server.port == 9001


@pytest.mark.parametrize("variable", ["SM_MODEL_DIR", "AZUREML_MODEL_DIR"])
def test_a_platform_s_folder_is_the_model_where_none_is_configured(variable: str) -> None:
    environ = {variable: "/opt/ml/model", "SAGEMAKER_BIND_TO_PORT": "8081"}
    settings = load({}, None, environ).settings
    assert [(model.name, model.source) for model in settings.models] == [("model", "/opt/ml/model")]
    assert settings.server.port == 8081
    Path("podium.yaml").write_text("models: [{name: mine, source: ./mine}]\n")
    assert [model.name for model in load({}, None, environ).settings.models] == ["mine"]


def test_a_port_or_a_path_that_is_none_is_an_error_with_the_variable() -> None:
    with pytest.raises(ConfigurationError, match="AIP_HTTP_PORT"):
        load({}, None, {"AIP_HTTP_PORT": "eighty"})
    with pytest.raises(ConfigurationError, match="path_aliases"):
        load({}, None, {"AIP_HEALTH_ROUTE": "health"})
