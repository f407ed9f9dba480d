from __future__ import annotations

import pytest
from pydantic import SecretStr

from podium.config.access import Access, QuotaLimits
from podium.config.describe import MASK, environment_name, leaves, masked, rows, value_text
from podium.config.settings import Settings


def test_every_setting_is_described_in_words() -> None:
    assert [row.path for row in rows(Settings) if not row.description] == []


def test_a_setting_is_one_row_with_type_default_bounds_and_variable() -> None:
    row = next(row for row in rows(Settings) if row.path == "server.port")
    assert (row.type, row.default, row.bounds) == ("whole number", "8000", ">= 0, <= 65535")
    assert row.environment == "PODIUM__SERVER__PORT"


def test_a_setting_inside_a_list_has_no_variable_of_its_own() -> None:
    by_path = {row.path: row for row in rows(Settings)}
    assert by_path["models"].environment == "PODIUM__MODELS"
    assert by_path["models[].name"].environment is None
    assert by_path["models[].name"].default is None


def test_a_mapping_of_groups_has_rows_for_what_an_entry_may_hold() -> None:
    by_path = {row.path: row for row in rows(Settings)}
    assert by_path["access.tenants"].type == "mapping of text to quota limits"
    assert by_path["access.tenants"].environment == "PODIUM__ACCESS__TENANTS"
    assert by_path["access.tenants{}.tokens_per_minute"].environment is None
    assert by_path["access.prices{}.input_per_million"].default == "0.0"


def test_a_group_or_none_is_a_setting_and_so_is_each_of_its_members() -> None:
    by_path = {row.path: row for row in rows(Settings)}
    assert (by_path["access.jwt"].type, by_path["access.jwt"].default) == ("jwt or none", "none")
    assert by_path["access.jwt.issuer"].environment == "PODIUM__ACCESS__JWT__ISSUER"
    assert by_path["access.jwt.issuer"].default is None


def test_the_entries_of_a_mapping_are_named_by_people() -> None:
    settings = Settings(access=Access(tenants={"a.b": QuotaLimits(tokens_per_day=5)}))
    found = dict(leaves(settings))
    assert found["access", "tenants", "a.b", "tokens_per_day"] == 5
    assert found["access", "models"] == {}
    assert found["access", "jwt"] is None


def test_every_engine_kind_has_its_rows() -> None:
    paths = {row.path for row in rows(Settings)}
    for kind in ("openvino", "transformers", "vllm", "remote", "echo"):
        assert f"models[].engine<{kind}>.max_batch_sequences" in paths


def test_the_variable_of_a_path_is_derived_from_it() -> None:
    assert environment_name("server.limits.body_bytes") == "PODIUM__SERVER__LIMITS__BODY_BYTES"


def test_leaves_name_every_value_with_its_path() -> None:
    found = dict(leaves(Settings()))
    assert found["models", 0, "name"] == "demo"
    assert found["server", "cors_origins"] == ()


@pytest.mark.parametrize("name", ["api_key", "key", "admin_token", "password", "client_secret", "keys"])
def test_a_text_with_a_secret_name_is_masked(name: str) -> None:
    assert masked(("access", name), "hunter2") == MASK


@pytest.mark.parametrize(
    ("name", "value"),
    [("max_tokens", 16), ("default_max_tokens", 512), ("api_key_file", "./key"), ("token_interval_seconds", 0.5)],
)
def test_counts_of_tokens_and_places_of_keys_are_shown(name: str, value: object) -> None:
    assert masked(("server", name), value) == value


def test_a_secret_type_and_credentials_in_an_address_are_masked() -> None:
    assert masked(("a",), SecretStr("x")) == MASK
    assert masked(("cache", "url"), "redis://me:hunter2@db:6379/0") == f"redis://{MASK}@db:6379/0"


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, "none"), (True, "true"), ((), "[]"), ({"a": 1}, "{a: 1}"), ("", '""'), (("x", 2), "[x, 2]")],
)
def test_values_read_like_yaml(value: object, text: str) -> None:
    assert value_text(value) == text
