"""Where settings come from, and what a person is told when one is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from podium.config.sources import LoadedSettings, load, parse_assignment
from podium.core.errors import ConfigurationError

TWO_MODELS = """
models:
  - {name: a, source: ./a}
  - name: b
    source: ./b
    engine: echo
server:
  port: 7000
  limits: {stops: 3}
"""


@pytest.fixture(autouse=True)
def _empty_working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(text: str, name: str = "podium.yaml") -> Path:
    path = Path(name)
    path.write_text(text)
    return path


def refusal(
    text: str = "", flags: Mapping[str, object] | None = None, environ: Mapping[str, str] | None = None
) -> list[str]:
    """The lines of the error that a configuration causes."""
    with pytest.raises(ConfigurationError) as caught:
        load(flags or {}, write(text), environ or {})
    return [line.strip() for line in caught.value.message.splitlines()]


def origin(loaded: LoadedSettings, *path: str | int) -> str:
    value: object = loaded.settings
    for step in path:
        value = value[step] if isinstance(step, int) else getattr(value, step)  # type: ignore[index]
    return str(loaded.origin(path, value))


def test_without_any_source_the_defaults_hold() -> None:
    loaded = load({}, None, {})
    assert loaded.file is None
    assert loaded.settings.server.port == 8000
    assert [model.name for model in loaded.settings.models] == ["demo"]
    assert origin(loaded, "server", "port") == "default"


def test_a_flag_beats_the_environment_beats_the_file_beats_the_default() -> None:
    file = write("server: {port: 1, admin_port: 2, max_queue: 3}\n")
    environ = {"PODIUM__SERVER__PORT": "10", "PODIUM__SERVER__ADMIN_PORT": "20"}
    loaded = load({"server.port": 100}, file, environ)
    server = loaded.settings.server
    assert (server.port, server.admin_port, server.max_queue) == (100, 20, 3)
    assert origin(loaded, "server", "port") == "flag"
    assert origin(loaded, "server", "admin_port") == "environment PODIUM__SERVER__ADMIN_PORT"
    assert origin(loaded, "server", "max_queue") == "file podium.yaml:1"
    assert origin(loaded, "server", "host") == "default"


def test_the_file_in_the_working_directory_is_found() -> None:
    write("logs: {level: debug}\n")
    loaded = load({}, None, {})
    assert loaded.settings.logs.level == "debug"
    assert str(loaded.file) == "podium.yaml"


def test_a_named_file_that_is_not_there_is_an_error() -> None:
    with pytest.raises(ConfigurationError, match=r"other.yaml: no such file"):
        load({}, Path("other.yaml"), {})


def test_values_inside_lists_have_the_line_of_the_file() -> None:
    loaded = load({}, write(TWO_MODELS), {})
    assert origin(loaded, "models", 0, "name") == "file podium.yaml:3"
    assert origin(loaded, "models", 1, "source") == "file podium.yaml:5"
    assert origin(loaded, "models", 1, "engine", "kind") == "file podium.yaml:6"
    assert origin(loaded, "models", 1, "engine", "max_model_len") == "default"
    assert origin(loaded, "models", 1, "load") == "default"
    assert origin(loaded, "server", "limits", "stops") == "file podium.yaml:9"


def test_a_list_in_the_environment_is_yaml_and_replaces_the_list_of_the_file() -> None:
    loaded = load({}, write(TWO_MODELS), {"PODIUM__MODELS": "[{name: c, source: ./c}]"})
    assert [model.name for model in loaded.settings.models] == ["c"]
    assert origin(loaded, "models", 0, "source") == "environment PODIUM__MODELS"
    assert {path[1] for path in loaded.origins if path[0] == "models"} == {0}


def test_a_mapping_in_the_environment_is_merged_into_the_section() -> None:
    loaded = load({}, write(TWO_MODELS), {"PODIUM__SERVER": "{host: '::1'}"})
    assert (loaded.settings.server.host, loaded.settings.server.port) == ("::1", 7000)


QUOTAS = """
access:
  tenants:
    acme: {tokens_per_minute: 5}
    other: {requests_per_minute: 1}
"""
JWT = "access: {jwt: {issuer: i, audience: a, jwks: ./keys.json}}"


def test_entries_of_a_mapping_have_the_line_of_the_file_and_are_merged() -> None:
    loaded = load({}, write(QUOTAS), {"PODIUM__ACCESS__TENANTS": "{acme: {tokens_per_day: 9}, new: {}}"})
    tenants = loaded.settings.access.tenants
    assert (tenants["acme"].tokens_per_minute, tenants["acme"].tokens_per_day) == (5, 9)
    assert set(tenants) == {"acme", "other", "new"}
    assert str(loaded.origins["access", "tenants", "acme", "tokens_per_minute"]) == "file podium.yaml:4"
    assert str(loaded.origins["access", "tenants", "acme", "tokens_per_day"]) == "environment PODIUM__ACCESS__TENANTS"


def test_a_group_that_may_be_none_is_set_as_a_whole_by_member_and_taken_away() -> None:
    whole = load({}, write(JWT), {}).settings.access.jwt
    assert whole is not None
    assert (whole.issuer, whole.algorithm) == ("i", "RS256")
    by_member = load({}, write(JWT), {"PODIUM__ACCESS__JWT__ISSUER": "other"}).settings.access.jwt
    assert by_member is not None
    assert (by_member.issuer, by_member.audience) == ("other", "a")
    assert load(dict([parse_assignment("access.jwt=null")]), write(JWT), {}).settings.access.jwt is None
    assert load({}, write(JWT), {"PODIUM__ACCESS__JWT": "null"}).settings.access.jwt is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "access:\n  tenants:\n    acme: {tokens_per_minuet: 3}\n",
            (
                "podium.yaml:3: access.tenants.acme.tokens_per_minuet: unknown key; "
                "did you mean access.tenants.acme.tokens_per_minute? Known here: requests_per_minute,"
            ),
        ),
        (
            "access: {tenants: {requests_per_minute: {tokens_per_da: 1}}}",
            (
                "access.tenants.requests_per_minute.tokens_per_da: unknown key; "
                "did you mean access.tenants.requests_per_minute.tokens_per_day?"
            ),
        ),
        ("access: {prices: {gpt2: {input_per_milion: 1}}}", "did you mean access.prices.gpt2.input_per_million?"),
        ("access: {tenants: {acme: 3}}", "access.tenants.acme: 3 was given; should be a mapping"),
        ("access: {tenants: 3}", "access.tenants: 3 was given; should be a mapping"),
        (
            "access: {models: {m: {concurrent_requests: 0}}}",
            "access.models.m.concurrent_requests: 0 was given; should be greater than or equal to 1",
        ),
        ("access: {tenant: {a: {}}}", "access.tenant: unknown key; did you mean access.tenants?"),
        (
            "access: {jwt: {issuer: i, audience: a, jwks: k, leeway: 1}}",
            "access.jwt.leeway: unknown key; did you mean access.jwt.leeway_seconds? Known here: issuer, audience,",
        ),
        ("access: {jwt: {issuer: i, audience: a}}", "access.jwt.jwks: is missing"),
        ("access: {jwt: 3}", "access.jwt: 3 was given; should be a mapping"),
        ("access: {jwt: {issuer: i, audience: a, jwks: 'http://x'}}", "starts with https://"),
        ("access: {jwt: {issuer: ' ', audience: a, jwks: k}}", "access.jwt.issuer:   was given; should not be empty"),
        (
            "access: {jwt: {issuer: i, audience: a, jwks: k, algorithm: HS256}}",
            "access.jwt.algorithm: HS256 was given;",
        ),
        ("access: {jwt: {issuer: i, audience: a, jwks: k, leeway_seconds: 61}}", "less than or equal to 60"),
    ],
)
def test_what_is_wrong_inside_mappings_and_optional_groups_is_told_by_its_path(text: str, message: str) -> None:
    (line,) = refusal(text)
    assert message in line


def test_a_text_setting_takes_the_variable_as_it_is() -> None:
    loaded = load({}, None, {"PODIUM__SERVER__HOST": "0"})
    assert loaded.settings.server.host == "0"


def test_other_variables_are_nobodys_business() -> None:
    load({}, None, {"PODIUM_HOME": "x", "PATH": "y", "XPODIUM__SERVER__PORT": "z"})


def test_a_variable_that_names_no_setting_is_an_error_with_the_nearest_name() -> None:
    assert refusal(environ={"PODIUM__SERVER__PROT": "1"}) == [
        "PODIUM__SERVER__PROT: names no setting; did you mean PODIUM__SERVER__PORT?"
    ]


def test_a_variable_in_small_letters_is_an_error_not_a_setting() -> None:
    assert refusal(environ={"PODIUM__server__port": "1"}) == [
        "PODIUM__server__port: names no setting; did you mean PODIUM__SERVER__PORT?"
    ]


def test_a_variable_that_is_not_yaml_is_an_error() -> None:
    (line,) = refusal(environ={"PODIUM__MODELS": "[{name: a"})
    assert line.startswith("PODIUM__MODELS:1: not YAML:")


def test_an_unknown_key_is_named_in_full_with_its_line_and_the_nearest_known_one() -> None:
    (line,) = refusal("server:\n  prot: 1\n")
    assert line.startswith("podium.yaml:2: server.prot: unknown key; did you mean server.port? Known here: host, port,")


def test_an_unknown_key_of_a_model_names_the_entry() -> None:
    (line,) = refusal("models:\n- {name: a, source: b}\n- {name: b, source: c, agine: echo}\n")
    assert line.startswith("podium.yaml:3: models[1].agine: unknown key; did you mean models[1].engine?")


def test_an_unknown_key_of_an_engine_names_the_keys_of_its_kind() -> None:
    (line,) = refusal("models: [{name: a, source: b, engine: {kind: transformers, thread: 2}}]\n")
    assert "models[0].engine.thread: unknown key; did you mean models[0].engine.threads?" in line
    assert line.endswith("Known here: kind, device, precision, max_batch_sequences, threads")


def test_a_key_in_the_wrong_section_is_pointed_to_the_right_one() -> None:
    (line,) = refusal("port: 8000\n")
    assert "port: unknown key; did you mean server.port?" in line


def test_an_unknown_engine_is_named_with_the_nearest_and_all_kinds() -> None:
    (line,) = refusal("models: [{name: a, source: b, engine: opnvino}]\n")
    assert "models[0].engine: opnvino is no kind of engine; did you mean openvino? Allowed: auto, openvino," in line


def test_everything_that_is_wrong_is_told_at_once() -> None:
    lines = refusal(
        "server:\n  prot: 1\n  port: 70000\nlogs: {level: loud}\n",
        flags={"server.hots": "x"},
        environ={"PODIUM__ACCESS__ANONYMUS": "never"},
    )
    assert lines[0] == "5 problems in the configuration:"
    assert [next(word for word in ("ANONYMUS", "hots", "port", "prot", "level") if word in line) for line in lines[1:]]
    assert "podium.yaml:3: server.port: 70000 was given; should be less than or equal to 65535" in lines
    assert "podium.yaml:4: logs.level: loud was given; should be 'debug', 'info', 'warning' or 'error'" in lines


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("server: {port: '8000'}", "server.port: 8000 was given; should be a whole number"),
        ("server: {port: yes}", "server.port: true was given; should be a whole number"),
        ("server: {port: 1.5}", "server.port: 1.5 was given; should be a whole number"),
        ("server: {host: 1}", "server.host: 1 was given; should be a text; put it in quotes"),
        ("models: {name: a}", "models: should be a list"),
        ("server: 8000", "server: 8000 was given; should be a mapping"),
        ("models: [{name: a}]", "models[0].source: is missing"),
        ("models: [{name: '../a', source: b}]", "models[0].name: ../a was given; use 1 to 128 letters"),
        ("models: [{name: a, source: b}, {name: a, source: c}]", "model 'a' version '1' is listed twice"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_what_is_allowed(text: str, message: str) -> None:
    (line,) = refusal(text)
    assert message in line


def test_a_file_that_is_no_mapping_is_an_error() -> None:
    (line,) = refusal("- a\n- b\n")
    assert line.startswith("podium.yaml:1: a mapping of sections is needed")


def test_a_file_that_is_no_text_is_an_error() -> None:
    Path("podium.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigurationError, match="cannot be read as UTF-8"):
        load({}, None, {})


def test_a_secret_is_not_repeated_in_a_message() -> None:
    (line,) = refusal("models: [{name: a, source: b, api_key: hunter2}]\n")
    assert "hunter2" not in line


def test_an_assignment_is_a_path_and_a_value_of_the_settings_type() -> None:
    assert parse_assignment("server.port=9000") == ("server.port", 9000)
    assert parse_assignment("server.host=0") == ("server.host", "0")
    assert parse_assignment("logs.level=debug") == ("logs.level", "debug")
    assert parse_assignment("server.cors_origins=[a, b=c]") == ("server.cors_origins", ["a", "b=c"])


@pytest.mark.parametrize("text", ["server.port", "=1", ""])
def test_an_assignment_without_path_or_value_is_an_error(text: str) -> None:
    with pytest.raises(ConfigurationError, match="path=value"):
        parse_assignment(text)


def test_the_semantic_cache_needs_a_threshold_and_a_model_that_is_configured() -> None:
    semantic = "cache: {semantic: {model: %s%s}}"
    assert any("threshold" in line for line in refusal(TWO_MODELS + semantic % ("b", "")))
    assert any("cache.semantic.model" in line for line in refusal(TWO_MODELS + semantic % ("c", ", threshold: 0.9")))
    loaded = load({}, write(TWO_MODELS + semantic % ("b@1", ", threshold: 0.9")), {})
    assert loaded.settings.cache.semantic is not None
    assert load({}, write(TWO_MODELS), {}).settings.cache.semantic is None
