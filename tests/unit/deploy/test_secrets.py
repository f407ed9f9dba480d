"""The password of Redis: made once, readable by its owner alone, and only its digest stands in the users' file."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from podium.core.errors import ConfigurationError
from podium.deploy.secrets import redis_users, write_redis_secret, write_stack_secrets


def test_two_files_that_only_the_owner_reads(tmp_path: Path) -> None:
    written = write_redis_secret(tmp_path / "secrets", "podium")
    assert [path.name for path in written] == ["password", "users.acl"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in written} == {0o600}
    password, users = (path.read_text() for path in written)
    assert len(password) >= 43
    assert password not in users
    assert users == redis_users(password, "podium")


def test_every_password_is_another(tmp_path: Path) -> None:
    passwords = {write_redis_secret(tmp_path / name, "podium")[0].read_text() for name in "ab"}
    assert len(passwords) == 2


def test_a_password_that_is_there_is_never_replaced(tmp_path: Path) -> None:
    before = write_redis_secret(tmp_path, "podium")[0].read_text()
    with pytest.raises(ConfigurationError, match="is there already"):
        write_redis_secret(tmp_path, "podium")
    assert (tmp_path / "password").read_text() == before


@pytest.mark.parametrize("make", [write_redis_secret, write_stack_secrets])
def test_a_file_in_the_place_of_the_folder_is_told(make: Callable[[Path, str], list[Path]], tmp_path: Path) -> None:
    place = tmp_path / "secrets"
    place.write_text("mine")
    with pytest.raises(ConfigurationError, match=r"secrets cannot be written: .*; name another folder with --out"):
        make(place, "podium")
    assert place.read_text() == "mine"


def test_the_user_may_touch_the_keys_of_its_installation_alone() -> None:
    assert " ~team-a:* " in redis_users("x", "team-a")
