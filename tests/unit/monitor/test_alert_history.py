"""The history of alerts outlives the controller, and a disk that is full is told and keeps nobody from judging."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from podium.config.monitor import Monitor as Thresholds
from podium.monitor.alert_history import MOST_LINES, AlertHistory
from podium.monitor.alerts import MOST_PAST, Alert, AlertBook, Episode
from podium.monitor.catalog import catalog_of
from podium.monitor.claim import Claim
from podium.monitor.line_file import LineFile
from podium.monitor.monitor import Monitor
from podium.monitor.rules import rules_of
from podium.monitor.view import MonitorView

ALERT = Alert("HighErrorRate", "page", "gpt2", "firing", since=10.0, sentence="it fails", value=0.5)
BEGUN = Episode(ALERT, fired_at=10.0)
ENDED = replace(BEGUN, ended_at=60.0, end="resolved")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl"


def noted(path: Path, *episodes: Episode) -> AlertHistory:
    history = AlertHistory(path)
    for episode in episodes:
        history.note(episode)
    return AlertHistory(path)


def test_an_alert_that_ended_is_there_after_a_restart(path: Path) -> None:
    kept = noted(path, BEGUN, ENDED).load()
    assert kept == [ENDED]
    book = AlertBook(rules_of(Thresholds()), past=kept)
    assert book.past == [ENDED]
    assert book.firing == []


def test_one_that_went_on_goes_on_after_a_restart(path: Path) -> None:
    kept = noted(path, ENDED, replace(BEGUN, fired_at=80.0)).load()
    book = AlertBook(rules_of(Thresholds()), past=kept)
    assert [episode.fired_at for episode in book.firing] == [80.0]
    assert book.past == [ENDED]


def test_a_torn_line_is_left_out(path: Path) -> None:
    noted(path, ENDED)
    with path.open("ab") as file:
        file.write(b'{"alert": {"ru')
    assert AlertHistory(path).load() == [ENDED]


def test_what_is_noted_after_a_torn_line_is_there_after_the_next_restart(path: Path) -> None:
    """The end of an alert that stood behind half a line would be lost, and the alert fire for ever."""
    noted(path, BEGUN)
    path.write_bytes(path.read_bytes() + b'{"alert": {"ru')
    assert noted(path, ENDED).load() == [ENDED]


def test_an_alert_whose_end_was_lost_does_not_fire_beside_a_newer_one_of_the_same_rule(path: Path) -> None:
    newer = replace(BEGUN, fired_at=80.0)
    assert noted(path, BEGUN, newer).load() == [newer]
    assert noted(path, replace(newer, ended_at=90.0, end="resolved")).load()[-1].fired_at == 80.0
    assert all(episode.ended_at is not None for episode in AlertHistory(path).load())


def test_a_file_that_another_controller_keeps_is_neither_read_nor_written(path: Path) -> None:
    """It would end the other one's alerts, and tell people so."""
    first, second = Claim(path), Claim(path)
    AlertHistory(path, first).note(BEGUN)
    other = AlertHistory(path, second)
    assert other.load() == []
    other.note(replace(BEGUN, fired_at=11.0))
    assert "another controller" in other.problem
    assert AlertHistory(path).load() == [BEGUN]
    first.release()
    other.note(ENDED)
    assert other.problem == ""
    assert AlertHistory(path).load() == [ENDED]
    second.release()


def test_without_a_file_there_is_no_history_and_nothing_is_written(path: Path) -> None:
    history = AlertHistory(path)
    assert history.load() == []
    assert not path.exists()
    assert AlertHistory(None).load() == []


def test_a_file_that_has_grown_is_written_anew(path: Path) -> None:
    many = [replace(ENDED, fired_at=float(number)) for number in range(MOST_LINES + 1)]
    kept = noted(path, *many).load()
    assert kept == many[-MOST_PAST:]
    assert len(path.read_bytes().splitlines()) == MOST_PAST
    assert AlertHistory(path).load() == kept


def test_a_full_disk_is_told_until_a_line_is_written_again() -> None:
    history = AlertHistory(Path("/dev/full"))
    history.note(BEGUN)
    monitor = Monitor([], catalog_of(["blue"], ["m"]), AlertBook(()), kept=[history])
    asyncio.run(monitor.round())
    assert [problem.subject for problem in monitor.problems] == ["disk"]
    assert "No space left" in monitor.problems[0].sentence
    assert MonitorView(monitor).health().status == "degraded"
    history._file = LineFile(Path("/dev/null"))
    history.note(BEGUN)
    assert monitor.problems == []
