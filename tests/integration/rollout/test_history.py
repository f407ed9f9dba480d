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

from podium.core.errors import Conflict, Unavailable
from podium.rollout import events as e
from podium.rollout.analysis.interval import Interval
from podium.rollout.analysis.latency_process import Samples
from podium.rollout.analysis.stratum import Stratum
from podium.rollout.course import Course, Observed
from podium.rollout.history import History, _entry, _interval_entry, read, verify
from podium.rollout.history_on_demand import HistoryOnDemand
from podium.rollout.state import Phase, RolloutState
from podium.rollout.transitions import _ANYWHERE, _TABLE, after
from support.rollout_ways import GOOD, TRANSITIONS, WAYS
from support.source import ROOT


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


def test_a_full_disk_is_told_and_half_an_event_is_none(tmp_path: Path) -> None:
    file = written(tmp_path / "h.db", GOOD[:2])
    with History(file) as history:
        connection = history._connection
        assert connection is not None
        connection.execute("PRAGMA max_page_count = 1")  # no more than it has
        with pytest.raises(Unavailable, match=r"h\.db cannot be written: its disk is full"):
            history.append(e.Aborted(at=3, reason="x" * 100_000), actor="test")
        connection.execute("PRAGMA max_page_count = 100000")
        history.append(e.Aborted(at=3, reason="x" * 100_000), actor="test")
    assert (len(read(file)), verify(file)) == (3, [])


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


def interval(number: int, bad: int = 0) -> Observed:
    counts = {"errors": Stratum(9, 0, 2, bad), "aborted": Stratum(9, 0, 2, 0)}
    samples = {"ttft": Samples((0.1, 0.25), (1 / 3,))}
    return Observed(
        rollout=1,
        units=500,
        began=number,
        ended=number + 1,
        interval=Interval(counts, samples, (9, 2)),  # type: ignore[arg-type]
        undecided=1,
    )


def observed_history(file: Path) -> Course:
    with History(file) as history:
        for event in GOOD[:5]:
            history.append(event, actor="test")
        for number in range(20):
            history.observe(interval(number, bad=number % 2))
        history.append(GOOD[5], actor="test")
        return history.course


def test_evidence_is_what_replaying_the_intervals_gives_to_the_bit(tmp_path: Path) -> None:
    before = observed_history(tmp_path / "h.db")
    with History(tmp_path / "h.db") as history:
        assert history.course == before
        assert history.course.evidence is not None
        assert before.evidence is not None
        assert history.course.evidence.to_json() == before.evidence.to_json()
        assert (history.course.seen_until, history.course.undecided) == (20, 20)


@pytest.mark.parametrize("point", ["before", "between", "after"])
def test_a_writer_killed_while_it_keeps_an_interval_has_it_or_has_it_not(tmp_path: Path, point: str) -> None:
    file = tmp_path / "h.db"
    course = observed_history(file)
    command = [sys.executable, "-m", "support.history_process", str(file), "interval", "20", point]
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "tests")}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    with History(file) as history:
        assert history.course == (course.observe(interval(20)) if point == "after" else course)
    assert verify(file) == []


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        (
            "UPDATE intervals SET payload = CAST(replace(payload, '0.25', '0.26') AS BLOB) WHERE seq = 3",
            "interval 3 was",
        ),
        ("UPDATE intervals SET after_event = 4 WHERE seq = 2", "interval 2 was changed"),
        ("DELETE FROM intervals WHERE seq = 7", "interval 7 is missing"),
    ],
)
def test_intervals_that_were_changed_are_named(tmp_path: Path, statement: str, said: str) -> None:
    file = tmp_path / "h.db"
    observed_history(file)
    connection = sqlite3.connect(file)
    connection.execute("DROP TRIGGER intervals_are_kept")
    connection.execute("DROP TRIGGER intervals_are_fixed")
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()
    (problem,) = verify(file)
    assert problem.startswith(said)


def test_a_file_from_before_intervals_were_kept_is_read(tmp_path: Path) -> None:
    """Its events hold no terms, and it has no table of intervals."""
    file = written(tmp_path / "h.db", GOOD[:4])
    connection = sqlite3.connect(file)
    connection.execute("DROP TABLE intervals")
    connection.close()
    assert verify(file) == []
    with History(file) as history:
        history.observe(interval(4))
        assert history.course.passed.intervals == 1


def test_an_interval_of_another_version_is_named(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    observed_history(file)
    connection = sqlite3.connect(file)
    (last,) = connection.execute("SELECT hash FROM intervals ORDER BY seq DESC LIMIT 1").fetchone()
    strange = _interval_entry(21, 6, b'{"rollout": 1, "colour": "red"}', last)
    with connection:
        connection.execute("INSERT INTO intervals VALUES (?, ?, ?, ?, ?)", msgspec.structs.astuple(strange))
    connection.close()
    assert verify(file) == ["interval 21 is of another version"]


def test_a_file_that_is_no_history_is_refused_and_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    file.write_bytes(b"a letter to my aunt " * 100)
    with pytest.raises(Conflict, match=r"cannot be read as a history; keep the file"), History(file):
        pass
    assert file.read_bytes().startswith(b"a letter")
    with pytest.raises(Conflict, match="cannot be made: No such file"), History(tmp_path / "nowhere" / "h.db"):
        pass


def test_a_history_on_demand_makes_its_file_with_the_first_event(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    with HistoryOnDemand(file) as history:
        assert (history.state.phase, history.log, file.exists()) == (Phase.IDLE, [], False)
        history.append(GOOD[0], actor="test")
        assert (history.state.phase, len(history.log), file.exists()) == (Phase.PREPARING, 1, True)


def test_a_history_on_demand_that_cannot_be_read_says_so_and_refuses_rollouts(tmp_path: Path) -> None:
    file = tmp_path / "h.db"
    file.write_bytes(b"a letter to my aunt " * 100)
    with HistoryOnDemand(file) as history:
        assert history.problem is not None
        assert history.state.phase is Phase.IDLE
        with pytest.raises(Conflict, match="Rollouts are not available"):
            history.append(GOOD[0], actor="test")
    with History(tmp_path / "other.db"), HistoryOnDemand(tmp_path / "other.db") as second:
        assert "has a writer already" in str(second.problem)
