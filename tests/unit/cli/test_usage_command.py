from __future__ import annotations

import json

import pytest
from msgspec import to_builtins

from podium.protocols.native_use import UsageAnswer, UsageBy, UsageFigures, UsageGroup
from support.command import Command
from support.fake_server import Canned, fake_server

FIGURES = {"requests": 4, "cached_requests": 1, "prompt_tokens": 530, "output_tokens": 21, "total_tokens": 551}
TOTAL = UsageFigures(**FIGURES, cost=0.35)
ROUTE = "GET /usage?since=24h&by="


def answer(by: UsageBy, group: UsageGroup) -> Canned:
    return Canned(to_builtins(UsageAnswer(since_seconds=86_400.0, by=by, usage=[group], total=TOTAL)))


def group(**names: str) -> UsageGroup:
    return UsageGroup(**names, **FIGURES, cost=0.35)  # type: ignore[arg-type]


BY_KEY = answer("key", group(tenant="acme", key_id="5f0c9a2b7d1e4f60"))


def test_it_shows_keys_with_their_tenants_and_a_total(command: Command) -> None:
    with fake_server({ROUTE + "key": BY_KEY}) as server:
        ended = command("usage", "--url", server.url)
    header, row, total = (line.split() for line in ended.out.splitlines())
    assert header == ["tenant", "key", "requests", "cached", "prompt", "tokens", "output", "tokens", "cost"]
    assert row == ["acme", "5f0c9a2b7d1e4f60", "4", "1", "530", "21", "0.3500"]
    assert total == ["total", "4", "1", "530", "21", "0.3500"]


@pytest.mark.parametrize(
    ("by", "shown"), [("tenant", group(tenant="acme")), ("model", group(model="demo"))], ids=["tenant", "model"]
)
def test_it_groups_as_told(command: Command, by: UsageBy, shown: UsageGroup) -> None:
    with fake_server({ROUTE + by: answer(by, shown)}) as server:
        ended = command("usage", "--by", by, "--url", server.url)
    header, row, _ = (line.split() for line in ended.out.splitlines())
    assert (header[0], row[0]) == (by, shown.tenant or shown.model)


def test_time_and_tenant_are_passed_on_as_they_are(command: Command) -> None:
    with fake_server({"GET /usage?since=7d&by=key&tenant=a%26b": BY_KEY}) as server:
        assert command("usage", "--since", "7d", "--tenant", "a&b", "--url", server.url).status == 0


def test_as_json_it_is_what_the_server_said(command: Command) -> None:
    with fake_server({ROUTE + "key": BY_KEY}) as server:
        assert json.loads(command("usage", "--json", "--url", server.url).out) == BY_KEY.body


def test_a_refusal_is_told_with_the_servers_words(command: Command) -> None:
    refused = Canned({"error": {"code": "permission_denied", "message": "Not yours.", "request_id": "r1"}}, 403)
    with fake_server({ROUTE + "key": refused}) as server:
        ended = command("usage", "--url", server.url)
    assert (ended.status, ended.err) == (4, "error: Not yours. [permission_denied, r1]\n")
