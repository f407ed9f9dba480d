"""A rollout's history survives its writer, and shows when somebody touched it."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from podium.core.errors import Conflict
from podium.rollout import events as e
from podium.rollout.history import History, _entry, read, verify
from podium.rollout.state import Phase, RolloutState
from podium.rollout.transitions import _ANYWHERE, _TABLE, after
from support.source import ROOT

STEPS = (500, 10_000)


def observed(units: int, verdict: e.Event | None) -> list[e.Event]:
    return [e.Acknowledged(at=3, canary_units=units), e.SplitAgreed(at=4), *([verdict] if verdict else [])]


BEGIN: list[e.Event] = [e.Started(at=0, revision="v2", steps=STEPS), e.CanaryReady(at=1), e.Warmed(at=2)]
GOOD: list[e.Event] = [
    *BEGIN,
    *observed(500, e.Judged(at=5, verdict="ADVANCE", reason="certified")),
    e.Acknowledged(at=6, canary_units=10_000),
    e.DeadlinePassed(at=7),
    e.Drained(at=8),
]
BAD: list[e.Event] = [
    *BEGIN,
    *observed(500, e.Judged(at=5, verdict="ROLLBACK", reason="errors")),
    e.Acknowledged(at=6, canary_units=0),
    e.Drained(at=7),
]
HELD: list[e.Event] = [
    *BEGIN,
    e.DeadlinePassed(at=12),
    e.DeadlinePassed(at=22),
    e.Approved(at=30),
    *observed(500, None),
    e.DeadlinePassed(at=3700),
    e.Superseded(at=3800, by="v3"),
    e.DeadlinePassed(at=3810),
    e.Acknowledged(at=3811, canary_units=0),
    e.Drained(at=3900, cut=1),
]
ROLLBACK = e.Judged(at=5, verdict="ROLLBACK", reason="errors")
LATE = e.DeadlinePassed(at=9)
SHADOW: list[e.Event] = [e.Started(at=0, revision="v2", steps=STEPS, shadow=True), *BEGIN[1:]]
NEXT = e.Started(at=50, revision="v3", steps=STEPS)
GONE: list[e.Event] = [e.Acknowledged(at=6, canary_units=0), LATE, e.Drained(at=7), NEXT]
# Together they make every transition of the table at least once.
WAYS: dict[str, list[e.Event]] = {
    "good": [*GOOD, NEXT],
    "bad": [*BAD, NEXT, LATE],
    "held": [*HELD, NEXT],
    "late": [SHADOW[0], e.CanaryUnready(at=1), SHADOW[1], LATE, e.Approved(at=10), LATE, e.Approved(at=11)],
    "blind": [*BEGIN, e.Acknowledged(at=3, canary_units=500), LATE, e.Approved(at=10), ROLLBACK],
    "seen": [*BEGIN, e.Acknowledged(at=3, canary_units=500), LATE, e.SplitAgreed(at=10)],
    "acked": [*SHADOW, e.ShadowAgreed(at=3), e.Acknowledged(at=3, canary_units=500), ROLLBACK, *GONE],
    "shadow": [*SHADOW, ROLLBACK, *GONE],
    "baking": [*GOOD[:7], ROLLBACK],
    "leaving": [*GOOD[:8], LATE, GOOD[8]],
    "proven": [*BEGIN, *observed(500, LATE), e.Judged(at=10, verdict="ADVANCE", reason="certified")],
    "forgotten": [*BEGIN, *observed(500, LATE), LATE],
    "by hand": [*BEGIN, e.Skipped(at=3), e.CanaryUnready(at=4)],
    "away": [*BEGIN, e.Aborted(at=3, reason="by hand")],
}


def first_transitions() -> dict[tuple[Phase, type[e.Event]], tuple[str, int]]:
    """Where each transition is made for the first time."""
    found: dict[tuple[Phase, type[e.Event]], tuple[str, int]] = {}
    for way, events in WAYS.items():
        state = RolloutState()
        for number, event in enumerate(events):
            found.setdefault((state.phase, type(event)), (way, number))
            state = after(state, event)
    return found


TRANSITIONS = first_transitions()


def state_after(events: list[e.Event]) -> RolloutState:
    state = RolloutState()
    for event in events:
        state = after(state, event)
    return state


def written(file: Path, events: list[e.Event]) -> Path:
    with History(file) as history:
        for event in events:
            history.append(event, actor="test")
    return file


def test_every_transition_of_the_table_is_among_them() -> None:
    assert set(_TABLE) - set(TRANSITIONS) == set()
    assert set(_ANYWHERE) <= {kind for _, kind in TRANSITIONS}


@pytest.mark.parametrize(("way", "number"), TRANSITIONS.values())
def test_a_writer_killed_at_a_transition_resumes_to_the_same_state(tmp_path: Path, way: str, number: int) -> None:
    """At three points of every transition: nothing that was confirmed is lost, nothing else has happened."""
    events = WAYS[way]
    plan = tmp_path / "events.json"
    plan.write_bytes(msgspec.json.encode(events))
    for point in ("before", "between", "after"):
        file = tmp_path / f"{point}.db"
        command = [sys.executable, "-m", "support.history_process", str(file), str(plan), str(number), point]
        environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == -signal.SIGKILL, done.stderr
        happened = number + (point == "after")
        with History(file) as history:
            assert history.state == state_after(events[:happened])
            for event in events[happened:]:
                history.append(event, actor="test")
            assert history.state == state_after(events)
        assert verify(file) == []


def test_the_log_tells_who_did_what_also_while_it_is_written(tmp_path: Path) -> None:
    with History(tmp_path / "h.db") as history:
        history.append(GOOD[0], actor="alice")
        (entry,) = read(tmp_path / "h.db")
        assert (entry.seq, entry.actor, entry.event) == (1, "alice", GOOD[0])


def test_there_is_one_writer(tmp_path: Path) -> None:
    first, second = History(tmp_path / "h.db"), History(tmp_path / "h.db")
    with first, pytest.raises(Conflict, match="has a writer already"), second:
        pass
    with History(tmp_path / "h.db") as history:
        assert history.state.phase is Phase.IDLE


def test_an_event_that_cannot_happen_is_not_written(tmp_path: Path) -> None:
    file = written(tmp_path / "h.db", GOOD[:2])
    with History(file) as history, pytest.raises(Conflict):
        history.append(e.Drained(at=3), actor="test")
    assert len(read(file)) == 2


@pytest.mark.parametrize("statement", ["DELETE FROM events", "UPDATE events SET actor = 'nobody'"])
def test_the_file_refuses_changes(tmp_path: Path, statement: str) -> None:
    connection = sqlite3.connect(written(tmp_path / "h.db", GOOD))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        connection.execute(statement)
    connection.close()


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("UPDATE events SET actor = 'nobody' WHERE seq = 3", "event 3 was changed"),
        ("UPDATE events SET payload = CAST(replace(payload, 'v2', 'v9') AS BLOB) WHERE seq = 1", "event 1 was changed"),
        ("DELETE FROM events WHERE seq = 4", "event 4 is missing"),
        ("DELETE FROM events WHERE seq = 1", "event 1 is missing"),
    ],
)
def test_changes_behind_its_back_are_named_and_stop_the_next_writer(tmp_path: Path, statement: str, said: str) -> None:
    file = written(tmp_path / "h.db", GOOD)
    connection = sqlite3.connect(file)
    connection.execute("DROP TRIGGER events_are_kept")
    connection.execute("DROP TRIGGER events_are_fixed")
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()
    (problem,) = verify(file)
    assert problem.startswith(said)
    with pytest.raises(Conflict, match=said), History(file):
        pass


def test_a_chain_of_events_that_cannot_have_happened_is_named(tmp_path: Path) -> None:
    """Hashes alone are not enough: a forger can compute them."""
    file = written(tmp_path / "h.db", GOOD[:2])
    forged = _entry(3, "forger", msgspec.json.encode(e.Drained(at=3)), read(file)[-1].hash)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("INSERT INTO events VALUES (?, ?, ?, ?, ?)", msgspec.structs.astuple(forged))
    connection.close()
    (problem,) = verify(file)
    assert problem.startswith("event 3 cannot have happened: drained cannot happen while a rollout is warming")
