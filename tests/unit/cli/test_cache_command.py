from __future__ import annotations

import json
from typing import Any

from msgspec import to_builtins
from msgspec.structs import asdict

from podium.protocols.native_use import CacheCleared, CacheFigures, CacheStats
from support.command import Command
from support.fake_server import Canned, fake_server
from support.ports import free_port

DEMO = CacheFigures(
    keys=2,
    memory_bytes=1_500_000,
    memory_usage="1.5 MB",
    hit_rate=0.75,
    hits=2,
    semantic_hits=3,
    attaches=1,
    misses=1,
    bypasses=5,
)
STATS = Canned(to_builtins(CacheStats(**asdict(DEMO), models={"demo": DEMO})))
CLEARED = Canned(to_builtins(CacheCleared(message="7 answers forgotten", cleared=7)))


def test_stats_show_every_model_and_a_total(command: Command) -> None:
    with fake_server({"GET /cache/stats": STATS}) as server:
        ended = command("cache", "stats", "--url", server.url)
    rows = [line.split() for line in ended.out.splitlines()]
    assert rows[1:] == [
        ["demo", "2", "1.5", "MB", "75.0%", "2", "3", "1", "1", "5"],
        ["total", "2", "1.5", "MB", "75.0%", "2", "3", "1", "1", "5"],
    ]


def test_stats_as_json_are_what_the_server_said(command: Command) -> None:
    with fake_server({"GET /cache/stats": STATS}) as server:
        assert json.loads(command("cache", "stats", "--url", server.url, "--json").out) == STATS.body


def cleared(command: Command, route: str, *options: str) -> Any:
    with fake_server({f"DELETE {route}": CLEARED}) as server:
        return command("cache", "clear", "--url", server.url, *options)


def test_clearing_tells_how_many_answers_are_gone(command: Command) -> None:
    ended = cleared(command, "/cache")
    assert (ended.status, ended.out) == (0, "7 answers forgotten\n")


def test_a_model_and_a_tenant_reach_the_server_as_they_are(command: Command) -> None:
    assert cleared(command, "/cache?model=owner%2Fname%402", "--model", "owner/name@2").status == 0
    assert cleared(command, "/cache?model=demo&tenant=a%26b", "--model", "demo", "--tenant", "a&b").status == 0


def test_clearing_as_json_is_what_the_server_said(command: Command) -> None:
    assert json.loads(cleared(command, "/cache", "--json").out) == CLEARED.body


def test_without_a_server_it_ends_with_3(command: Command) -> None:
    assert command("cache", "stats", "--url", f"http://127.0.0.1:{free_port()}").status == 3
