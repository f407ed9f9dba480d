from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.command import Command

CONFIGURED = """
access:
  tenants:
    acme: {tokens_per_minute: 100, requests_per_minute: 5}
    "*": {requests_per_minute: 1}
  models:
    demo: {concurrent_requests: 8}
"""


@pytest.fixture(autouse=True)
def _configured() -> None:
    Path("podium.yaml").write_text(CONFIGURED)


def shown(command: Command) -> list[tuple[str, ...]]:
    return [tuple(line.split()) for line in command("quotas", "show").out.splitlines()[1:]]


def test_what_is_configured_is_shown(command: Command) -> None:
    assert shown(command) == [
        ("tenant", "*", "requests_per_minute", "1", "configuration"),
        ("tenant", "acme", "requests_per_minute", "5,", "tokens_per_minute", "100", "configuration"),
        ("model", "demo", "concurrent_requests", "8", "configuration"),
    ]
    assert not Path("podium.db").exists()


def test_what_is_set_stands_in_place_of_what_is_configured_and_keeps_the_rest(command: Command) -> None:
    ended = command("quotas", "set", "--tenant", "acme", "--tokens-per-minute", "900")
    assert ended.out == "tenant acme: requests_per_minute 5, tokens_per_minute 900\n"
    command("quotas", "set", "--tenant", "acme", "--requests-per-minute", "0")
    assert ("tenant", "acme", "tokens_per_minute", "900", "set") in shown(command)


def test_a_tenant_that_is_not_listed_starts_from_what_holds_for_it(command: Command) -> None:
    ended = command("quotas", "set", "--tenant", "other", "--tokens-per-day", "7")
    assert ended.out == "tenant other: requests_per_minute 1, tokens_per_day 7\n"


def test_models_and_anonymous_callers_have_limits_too(command: Command) -> None:
    command("quotas", "set", "--model", "owner/name", "--concurrent", "2")
    command("quotas", "set", "--tenant", "anonymous", "--budget-per-day", "0.5")
    assert ("model", "owner/name", "concurrent_requests", "2", "set") in shown(command)
    assert ("tenant", "anonymous", "requests_per_minute", "1,", "budget_per_day", "0.5", "set") in shown(command)


def test_a_reset_lets_the_configuration_hold_again(command: Command) -> None:
    command("quotas", "set", "--model", "demo", "--concurrent", "1")
    assert command("quotas", "set", "--model", "demo", "--reset").out == "model demo: concurrent_requests 8\n"
    assert ("model", "demo", "concurrent_requests", "8", "configuration") in shown(command)


def test_limits_that_are_all_taken_away_are_no_limits_and_not_the_configured_ones(command: Command) -> None:
    assert command("quotas", "set", "--model", "demo", "--concurrent", "0").out == "model demo: no limits\n"
    assert ("model", "demo", "-", "set") in shown(command)


def test_the_results_as_json(command: Command) -> None:
    ended = command("quotas", "set", "--tenant", "acme", "--tokens-per-minute", "900", "--json")
    assert json.loads(ended.out) == {
        "tenant": "acme", "quotas": {"requests_per_minute": 5, "tokens_per_minute": 900}
    }  # fmt: skip
    entries = json.loads(command("quotas", "show", "--json").out)
    assert {"kind": "model", "name": "demo", "quotas": {"concurrent_requests": 8}, "origin": "configuration"} in entries


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--tokens-per-day", "1"], "name a --tenant or a --model, one of the two"),
        (["--tenant", "a", "--model", "b", "--tokens-per-day", "1"], "one of the two"),
        (["--tenant", "a"], "give limits to set, or --reset alone"),
        (["--tenant", "a", "--reset", "--tokens-per-day", "1"], "give limits to set, or --reset alone"),
        (["--tenant", "*", "--tokens-per-day", "1"], "limits of all others (`*`) are in the configuration"),
        (["--tenant", "", "--tokens-per-day", "1"], "is named by 1 to 128 letters"),
        (["--tenant", "a", "--budget-per-day", "inf"], "a limit or weight is a number"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_can(command: Command, words: list[str], message: str) -> None:
    ended = command("quotas", "set", *words)
    assert (ended.status, ended.out) == (2, "")
    assert message in ended.err
