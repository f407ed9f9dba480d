"""What is read out of a child's log."""

from __future__ import annotations

from pathlib import Path

from podium.launch.log_file import LogFile


def test_lines_are_read_as_they_come_and_only_whole(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('{"event": "listening", "traffic": "a\u2028b"}\n{"event": "rea', "utf-8")
    log = LogFile(path)
    assert [record["event"] for record in log.records()] == ["listening"]
    with path.open("a") as more:
        more.write('dy"}\n')
    assert [record["event"] for record in log.records()] == ["listening", "ready"]
    assert log.first_of("listening") == {"event": "listening", "traffic": "a\u2028b"}
    assert log.first_of("never") is None


def test_a_name_may_stand_in_front_and_what_is_no_record_is_kept_as_text(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text('blue-1 | {"event": "listening"}\nTraceback {of}\n[1]\n')
    log = LogFile(path)
    assert log.records() == [
        {"event": "listening"},
        {"event": "not json", "line": "Traceback {of}"},
        {"event": "not json", "line": "[1]"},
    ]
    assert log.lines()[0] == 'blue-1 | {"event": "listening"}'


def test_last_words_are_the_message_of_a_program_that_gave_up_or_its_last_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    path.write_text("")
    log = LogFile(path)
    assert log.last_words() == "it said nothing"
    path.write_text("error: the port is taken\nbye\n\n")
    assert log.last_words() == "the port is taken"
    path.write_text("x" * 1000 + "\n")
    assert LogFile(path).last_words() == "x" * 400
