from __future__ import annotations

import json
import re
import stat
import time
from pathlib import Path
from typing import Any

import pytest

from podium.access import api_keys
from support.command import Command
from support.ports import free_port

KEY = re.compile(r"podium_[0-9a-f]{16}_[A-Za-z0-9_-]{43}")
DAY = 86400


def made(command: Command, *options: str) -> tuple[str, str]:
    """Id and text of a new key."""
    shown = json.loads(command("keys", "create", "--json", *options).out)
    assert set(shown) == {"id", "key"}
    return shown["id"], shown["key"]


def kept(command: Command, key_id: str) -> dict[str, Any]:
    shown: dict[str, Any] = json.loads(command("keys", "show", key_id, "--json").out)
    return shown


def test_a_key_stands_alone_on_standard_output_and_how_to_use_it_beside_it(command: Command) -> None:
    ended = command("keys", "create", "--tenant", "acme")
    assert ended.status == 0
    assert KEY.fullmatch(ended.out.strip())
    assert ended.out.strip() not in ended.err
    assert "Authorization: Bearer $PODIUM_API_KEY" in ended.err
    assert "it is shown this once" in ended.err
    assert "tenant acme, roles infer" in ended.err


def test_the_first_key_is_told_to_close_the_server(command: Command) -> None:
    assert "serve nobody without one" in command("keys", "create").err
    assert "serve nobody without one" not in command("keys", "create").err
    Path("podium.yaml").write_text("access: {anonymous: everywhere, database: other.db}\n")
    assert "serve nobody without one" not in command("keys", "create").err


def test_the_file_is_made_by_the_first_key_and_is_private(command: Command) -> None:
    command("keys", "list")
    assert not Path("podium.db").exists()
    made(command)
    assert stat.S_IMODE(Path("podium.db").stat().st_mode) == 0o600


def test_a_key_has_everything_that_it_was_given(command: Command) -> None:
    Path("podium.yaml").write_text("models: [{name: gpt2, source: none, engine: echo, aliases: [small]}]\n")
    started = time.time()
    key_id, text = made(
        command, "--tenant", "acme", "--role", "infer", "--role", "metrics", "--role", "infer", "--model", "small",
        "--expires", "90d", "--note", "their shop", "--requests-per-minute", "60", "--tokens-per-minute", "1000",
        "--tokens-per-day", "9000", "--concurrent", "4", "--budget-per-day", "1.5", "--budget-per-30-days", "20",
        "--weight", "2", "--priority", "-1",
    )  # fmt: skip
    shown = kept(command, key_id)
    assert api_keys.id_in(text) == key_id
    assert abs(shown.pop("created_at") - started) < 30
    assert abs(shown.pop("expires_at") - started - 90 * DAY) < 30
    assert shown == {
        "id": key_id,
        "state": "active",
        "tenant": "acme",
        "roles": ["infer", "metrics"],
        "models": ["gpt2"],
        "quotas": {
            "requests_per_minute": 60,
            "tokens_per_minute": 1000,
            "tokens_per_day": 9000,
            "concurrent_requests": 4,
            "budget_per_day": 1.5,
            "budget_per_30_days": 20.0,
        },
        "weight": 2.0,
        "priority": -1,
        "note": "their shop",
        "revoked_at": None,
        "rotated_from": None,
        "allowance": None,
    }


def test_what_is_left_out_has_its_usual_value(command: Command) -> None:
    shown = kept(command, made(command, "--expires", "0", "--tokens-per-day", "0")[0])
    assert (shown["tenant"], shown["roles"], shown["models"]) == ("default", ["infer"], None)
    assert (shown["quotas"], shown["weight"], shown["priority"]) == ({}, 1.0, 0)
    assert (shown["expires_at"], shown["note"]) == (None, "")


def test_no_command_but_the_one_that_makes_it_shows_a_key_or_its_digest(command: Command) -> None:
    key_id, text = made(command)
    digest = api_keys.digest_of(text)
    for words in (["list"], ["show", key_id], ["set", key_id, "--priority", "1"], ["revoke", key_id]):
        for extra in ([], ["--json"]):
            ended = command("keys", *words, *extra)
            assert ended.status == 0
            assert text[-43:] not in ended.out + ended.err
            assert digest.hex() not in ended.out
    assert text.encode() not in b"".join(path.read_bytes() for path in Path().glob("podium.db*"))


def test_the_list_shows_tenants_states_and_limits(command: Command) -> None:
    first, _ = made(command, "--tenant", "acme", "--tokens-per-minute", "500", "--model", "demo")
    second, _ = made(command, "--tenant", "other", "--note", "old")
    command("keys", "revoke", second)
    rows = command("keys", "list").out.splitlines()
    assert rows[0].split() == ["id", "tenant", "roles", "models", "state", "expires", "limits", "note"]
    assert rows[1].split() == [first, "acme", "infer", "demo", "active", "-", "tokens_per_minute", "500", "-"]
    assert rows[2].split() == [second, "other", "infer", "all", "revoked", "-", "-", "old"]
    listed = json.loads(command("keys", "list", "--tenant", "other", "--json").out)["keys"]
    assert [entry["id"] for entry in listed] == [second]


def test_one_key_is_shown_in_words(command: Command) -> None:
    key_id, _ = made(command, "--expires", "90d")
    lines = dict(line.split(None, 1) for line in command("keys", "show", key_id).out.splitlines())
    assert lines["models"] == "all"
    assert lines["state"] == "active"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UTC", lines["expires_at"])
    assert lines["revoked_at"] == "-"


def test_a_revoked_key_stays_revoked(command: Command) -> None:
    key_id, _ = made(command, "--tenant", "acme")
    assert command("keys", "revoke", key_id).out == f"{key_id} of acme is revoked\n"
    first = kept(command, key_id)["revoked_at"]
    shown = json.loads(command("keys", "revoke", key_id, "--json").out)
    assert (shown["state"], shown["revoked_at"]) == ("revoked", first)


def test_a_rotated_key_has_a_successor_with_the_same_rights(command: Command) -> None:
    old, _ = made(command, "--tenant", "acme", "--role", "admin", "--tokens-per-day", "7", "--expires", "10d")
    ended = command("keys", "rotate", old)
    assert KEY.fullmatch(ended.out.strip())
    assert f"The old key {old} works until " in ended.err
    new = api_keys.id_in(ended.out.strip())
    assert new is not None
    before, after = kept(command, old), kept(command, new)
    now = time.time()
    assert abs(before["expires_at"] - now - 3600) < 30
    assert abs(after["expires_at"] - now - 10 * DAY) < 30
    assert (after["rotated_from"], after["allowance"]) == (old, old)
    third = api_keys.id_in(command("keys", "rotate", new).out.strip())
    assert kept(command, str(third))["allowance"] == old
    for name in ("tenant", "roles", "models", "quotas", "weight", "priority", "note"):
        assert after[name] == before[name]


def test_a_rotation_does_not_lengthen_the_old_keys_life(command: Command) -> None:
    old, _ = made(command, "--expires", "30m")
    expires_at = kept(command, old)["expires_at"]
    assert set(json.loads(command("keys", "rotate", old, "--grace", "2w", "--json").out)) == {"id", "key"}
    assert kept(command, old)["expires_at"] == expires_at


def test_without_grace_the_old_key_ends_at_once(command: Command) -> None:
    old, _ = made(command)
    assert f"The old key {old} is revoked" in command("keys", "rotate", old, "--grace", "0").err
    assert kept(command, old)["state"] == "revoked"
    again = command("keys", "rotate", old)
    assert again.status == 4
    assert "is revoked; create a new key" in again.err
    assert again.out == ""


def test_limits_are_changed_one_by_one_and_taken_away_by_zero(command: Command) -> None:
    key_id, _ = made(command, "--tokens-per-day", "7", "--requests-per-minute", "5")
    ended = command("keys", "set", key_id, "--requests-per-minute", "0", "--concurrent", "2", "--weight", "3")
    assert ended.out == f"{key_id} of default: tokens_per_day 7, concurrent_requests 2\n"
    shown = json.loads(command("keys", "set", key_id, "--note", "x", "--priority", "4", "--json").out)
    assert shown["quotas"] == {"tokens_per_day": 7, "concurrent_requests": 2}
    assert (shown["note"], shown["priority"], shown["weight"]) == ("x", 4, 3.0)


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        (["create", "--tenant", "a b"], 2, "--tenant: use 1 to 128 letters"),
        (["create", "--tenant", "anonymous"], 2, "'anonymous' is taken"),
        (["create", "--expires", "soon"], 2, "--expires soon: a number and a unit is needed"),
        (["create", "--role", "root"], 2, "--role"),
        (["create", "--budget-per-day", "inf"], 2, "a limit or weight is a number"),
        (["create", "--budget-per-day", "nan"], 2, ""),
        (["create", "--weight", "nan"], 2, ""),
        (["create", "--weight", "0"], 2, "--weight"),
        (["create", "--note", "a\x1b[31mb"], 2, "--note: use at most 200 printable characters"),
        (["create", "--note", "x" * 201], 2, "--note: use at most 200"),
        (["create", "--tokens-per-day", "-1"], 2, "--tokens-per-day"),
        (["show", "0123456789abcdef"], 1, "No key has that id. `podium keys list` shows them."),
        (["revoke", "0123456789abcdef"], 1, "No key has that id"),
        (["rotate", "0123456789abcdef"], 1, "No key has that id"),
        (["set", "0123456789abcdef", "--priority", "1"], 1, "No key has that id"),
        (["set", "0123456789abcdef"], 2, "nothing to change was given"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_can(
    command: Command, words: list[str], status: int, message: str
) -> None:
    ended = command("keys", *words)
    assert ended.status == status
    assert message in ended.err
    assert ended.out == ""
    assert not Path("podium.db").exists()


def test_a_key_in_the_place_of_an_id_is_not_repeated(command: Command) -> None:
    _, text = made(command)
    for word in ("show", "revoke", "rotate"):
        ended = command("keys", word, text)
        assert ended.status == 2
        assert "give the id, not the key" in ended.err
        assert text not in ended.err


def test_a_model_that_is_not_configured_is_taken_with_a_warning(command: Command) -> None:
    ended = command("keys", "create", "--model", "dmo")
    assert "warning: --model dmo: no model of that name is configured here; did you mean demo?" in ended.err
    assert KEY.fullmatch(ended.out.strip())


def test_a_redis_that_is_not_there_ends_with_3_and_what_to_look_at(command: Command) -> None:
    ended = command("keys", "list", "--set", f"redis.url=redis://127.0.0.1:{free_port()}/0")
    assert ended.status == 3
    assert "error: The key store does not answer" in ended.err
    assert "redis.url" in ended.err


def test_a_store_in_redis_without_a_redis_is_a_wrong_configuration(command: Command) -> None:
    ended = command("keys", "list", "--set", "access.store=redis")
    assert (ended.status, "redis.url is empty" in ended.err) == (2, True)
