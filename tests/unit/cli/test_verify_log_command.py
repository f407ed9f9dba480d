"""``podium rollout verify-log`` on real history files."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from podium.rollout.analysis.interval import Interval
from podium.rollout.course import Observed
from podium.rollout.events import Aborted, Started
from podium.rollout.history import History, read, read_intervals
from support.command import Command

FILE = Path("rollouts.db")


@pytest.fixture
def history() -> Path:
    """Two events and an interval between them."""
    with History(FILE) as log:
        log.append(Started(at=1.0, revision="v1", steps=(500, 10_000)), actor="ada")
        log.observe(Observed(rollout=1, units=500, began=1.0, ended=6.0, interval=Interval()))
        log.append(Aborted(at=2.0, reason="wrong"), actor="ada")
    return FILE


def test_a_whole_history_ends_with_0_and_tells_the_last_hashes(command: Command, history: Path) -> None:
    ended = command("rollout", "verify-log", str(history))
    last = read(history)[-1].hash.hex()
    assert ended.status == 0
    assert dict(line.split(None, 1) for line in ended.out.splitlines()) == {
        "file": "rollouts.db",
        "events": "2",
        "last_event_hash": last,
        "intervals": "1",
        "last_interval_hash": read_intervals(history)[-1].hash.hex(),
        "problems": "none",
    }
    shown = json.loads(command("rollout", "verify-log", str(history), "--json").out)
    assert (shown["events"], shown["last_event_hash"], shown["problems"]) == (2, last, [])


def test_the_configured_history_is_checked_when_none_is_named(command: Command, history: Path) -> None:
    assert command("rollout", "verify-log").status == 2
    Path("podium.yaml").write_text(f"rollout: {{history_file: {history}}}\n")
    assert command("rollout", "verify-log").status == 0


def test_a_changed_history_ends_with_1_and_the_first_problem(command: Command, history: Path) -> None:
    with sqlite3.connect(history) as connection:
        connection.execute("DROP TRIGGER events_are_fixed")
        connection.execute("UPDATE events SET actor = 'eve' WHERE seq = 1")
    connection.close()
    ended = command("rollout", "verify-log", str(history))
    assert (ended.status, ended.out) == (1, "")
    assert "rollouts.db: event 1 was changed: its hash does not fit" in ended.err
    assert json.loads(command("rollout", "verify-log", str(history), "--json").out)["problems"]


@pytest.mark.parametrize("text", [None, "not a database, but long enough to be looked at" * 30])
def test_what_is_no_history_ends_with_2(command: Command, text: str | None) -> None:
    if text is not None:
        FILE.write_text(text)
    ended = command("rollout", "verify-log", str(FILE))
    assert ended.status == 2
    assert "rollouts.db: " in ended.err
