"""Messages that wait outlive the controller, for as long as nobody has taken them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from podium.monitor.alerts import Alert, Episode
from podium.monitor.claim import Claim
from podium.monitor.line_file import LineFile
from podium.monitor.outbox import MOST_LINES, Outbox

FIRED = Episode(Alert("HighErrorRate", "page", "m", "firing", 1000.0, "too many", 0.5), fired_at=1000.0)
ENDED = replace(FIRED, ended_at=1060.0, end="resolved")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "alerts.jsonl.waiting"


def test_what_was_not_taken_waits_in_order_after_a_restart(path: Path) -> None:
    outbox = Outbox(path)
    for episode in (FIRED, ENDED):
        outbox.put("one", episode)
        outbox.put("two", episode)
    outbox.settle("one", FIRED)
    again = Outbox(path)
    assert again.waiting("one") == [ENDED]
    assert again.waiting("two") == [FIRED, ENDED]


def test_when_nothing_waits_the_file_is_empty(path: Path) -> None:
    outbox = Outbox(path)
    for number in range(50):
        episode = replace(FIRED, fired_at=float(number))
        outbox.put("one", episode)
        outbox.settle("one", episode)
    assert path.read_bytes() == b""


def test_while_something_waits_for_long_the_file_does_not_grow_for_ever(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put("hangs", FIRED)
    for number in range(MOST_LINES):
        episode = replace(FIRED, fired_at=float(number))
        outbox.put("one", episode)
        outbox.settle("one", episode)
    assert len(path.read_bytes().splitlines()) <= MOST_LINES
    assert Outbox(path).waiting("hangs") == [FIRED]


def test_what_waits_for_a_receiver_that_there_is_no_more_is_forgotten(path: Path) -> None:
    outbox = Outbox(path)
    outbox.put("one", FIRED)
    outbox.put("gone", FIRED)
    Outbox(path).keep_only({"one"})
    assert Outbox(path).waiting("gone") == []
    assert Outbox(path).waiting("one") == [FIRED]


def test_a_torn_line_is_left_out(path: Path) -> None:
    Outbox(path).put("one", FIRED)
    with path.open("ab") as file:
        file.write(b'{"receiver": "one", "epi')
    assert Outbox(path).waiting("one") == [FIRED]


def test_a_message_behind_a_torn_line_is_not_lost(path: Path) -> None:
    path.write_bytes(b'{"receiver": "one", "epi')
    Outbox(path).put("one", FIRED)
    assert Outbox(path).waiting("one") == [FIRED]


def test_the_messages_of_another_controller_are_neither_sent_nor_lost(path: Path) -> None:
    first, second = Claim(path), Claim(path)
    Outbox(path, first).put("one", FIRED)
    other = Outbox(path, second)
    other.keep_only(set())
    assert other.waiting("one") == []
    assert "another controller" in other.problem
    assert Outbox(path).waiting("one") == [FIRED]
    first.release()
    second.release()


def test_without_a_file_nothing_is_written_and_nothing_lost_before_the_end(path: Path) -> None:
    outbox = Outbox(None)
    outbox.put("one", FIRED)
    assert outbox.waiting("one") == [FIRED]
    outbox.keep_only({"one"})
    assert not path.exists()


def test_a_full_disk_is_told_until_a_line_is_written_again(path: Path) -> None:
    outbox = Outbox(path)
    outbox._file = LineFile(Path("/dev/full"))
    outbox.put("one", FIRED)
    assert "No space left" in outbox.problem
    outbox._file = LineFile(path)
    outbox.put("one", ENDED)
    assert outbox.problem == ""
