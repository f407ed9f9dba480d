"""Lines of the attempts log become records and counts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from podium.gateway.attempts import Attempt, AttemptsLog


def line(**fields: Any) -> str:
    usual = {"request_id": "r", "route": "split", "environment": "blue", "host": "h:1", "attempt": 1, "code": 200}
    return json.dumps({**usual, "flags": "-", **fields}) + "\n"


def test_complete_lines_are_read_once_and_a_half_one_when_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "attempts.jsonl"
    log = AttemptsLog(path)
    assert log.read() == []
    whole = line(request_id="2")
    path.write_text(line(request_id="1") + whole[:10])
    assert [attempt.request_id for attempt in log.read()] == ["1"]
    assert log.read() == []
    with path.open("a") as file:
        file.write(whole[10:])
    assert [attempt.request_id for attempt in log.read()] == ["2"]
    log.close()


def test_the_rest_of_a_replaced_file_is_read_before_the_new_one(tmp_path: Path) -> None:
    path = tmp_path / "attempts.jsonl"
    log = AttemptsLog(path)
    path.write_text(line(request_id="1"))
    log.read()
    with path.open("a") as file:
        file.write(line(request_id="2"))
    path.replace(tmp_path / "attempts.old")
    path.write_text(line(request_id="3"))
    assert [attempt.request_id for attempt in [*log.read(), *log.read()]] == ["2", "3"]
    log.close()


def test_attempts_are_counted_by_environment(tmp_path: Path) -> None:
    path = tmp_path / "attempts.jsonl"
    lines = [
        line(environment="green", code=500),
        line(environment="blue", attempt=2),
        line(environment="blue", route="pin-blue"),
        line(environment="blue"),
    ]
    path.write_text("".join([*lines, "no json\n"]))
    log = AttemptsLog(path)
    log.read()
    blue, green = log.counts["blue"], log.counts["green"]
    assert (blue.attempts, blue.first, blue.failed) == (3, 1, 0)
    assert (green.attempts, green.first, green.failed) == (1, 1, 1)
    assert log.unreadable == 1
    log.close()


def test_a_5xx_no_answer_and_a_broken_answer_are_failures() -> None:
    assert not Attempt(code=200, flags="-").failed
    assert not Attempt(code=404, flags="-").failed
    assert Attempt(code=503, flags="-").failed
    assert Attempt(code=0, flags="UC").failed
    assert Attempt(code=200, flags="UC").failed


def test_an_attempt_is_counted_once_by_its_last_line(tmp_path: Path) -> None:
    """Envoy writes a line when it has a connection, while it runs, and at its end."""
    path = tmp_path / "attempts.jsonl"
    moments = ["UpstreamPoolReady", "UpstreamPeriodic", "UpstreamEnd"]
    path.write_text("".join(line(moment=moment, began="1795770578.106767") for moment in moments))
    log = AttemptsLog(path)
    found = log.read_lines()
    assert [attempt.moment for attempt in found] == moments
    assert [attempt.ended for attempt in found] == [False, False, True]
    assert {attempt.key for attempt in found} == {"1795770578.106767/r/1"}
    assert (log.counts["blue"].attempts, log.counts["blue"].first) == (1, 1)
    path.write_text(path.read_text() + line(moment="UpstreamPoolReady"))
    assert log.read() == []
    log.close()


def test_a_header_that_is_no_text_neither_ends_the_reading_nor_hides_the_attempt(tmp_path: Path) -> None:
    """A client chooses it: with one it could end the controller, or keep its failures from being counted."""
    path = tmp_path / "attempts.jsonl"
    path.write_bytes(line(request_id="1", user="USER").encode().replace(b"USER", b"\xff\xfe") + line().encode())
    log = AttemptsLog(path)
    assert [attempt.user for attempt in log.read()] == ["\ufffd\ufffd", None]
    assert log.unreadable == 0
    log.close()
