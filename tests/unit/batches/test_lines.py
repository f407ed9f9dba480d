"""Input files, good and bad."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from podium.batches.lines import MOST_PROBLEMS, Line, check, read_lines
from support.batches import ENDPOINT, jsonl, line

GOOD = line("a", prompt="x")
BAD: dict[str, tuple[Any, str]] = {
    "no JSON": (b"{", "invalid_json_line"),
    "a list": ([1], "invalid_json_line"),
    "a body that is text": ({**GOOD, "body": "x"}, "invalid_json_line"),
    "a body that is nothing": ({**GOOD, "body": None}, "invalid_json_line"),
    "no body": ({key: value for key, value in GOOD.items() if key != "body"}, "invalid_json_line"),
    "a number as id": ({**GOOD, "custom_id": 7}, "invalid_json_line"),
    "bytes that are no text": (b'{"custom_id": "\xff"}', "invalid_json_line"),
    "a lone surrogate": (b'{"custom_id": "\\ud800", "method": "POST", "url": "/", "body": {}}', "invalid_json_line"),
    "deep nesting": (b'{"body": ' + b"[" * 2000 + b"]" * 2000 + b"}", "invalid_json_line"),
    "an empty id": ({**GOOD, "custom_id": ""}, "invalid_custom_id"),
    "a long id": ({**GOOD, "custom_id": "x" * 513}, "invalid_custom_id"),
    "another method": ({**GOOD, "method": "GET"}, "invalid_method"),
    "another endpoint": ({**GOOD, "url": "/v1/embeddings"}, "mismatched_url"),
    "another server": ({**GOOD, "url": f"http://elsewhere{ENDPOINT}"}, "mismatched_url"),
    "a stream": (line("a", stream=True), "invalid_request"),
    "a stream, oddly": (line("a", stream="yes"), "invalid_request"),
}


def checked(folder: Path, content: bytes, **limits: int) -> tuple[int, list[tuple[str, int | None]]]:
    path = folder / "lines.jsonl"
    path.write_bytes(content)
    total, problems = check(path, ENDPOINT, **{"most_lines": 10, "body_bytes": 1000, **limits})
    return total, [(problem.code, problem.line) for problem in problems]


def test_lines_are_read_with_their_numbers_and_their_bodies_byte_for_byte(tmp_path: Path) -> None:
    odd = b'{"custom_id": "b", "method": "POST", "url": "/v1/completions", "body": {"n":  1e0}, "more": 1}\r'
    content = jsonl(line("a", stream=False), b"", odd)
    assert checked(tmp_path, content) == (2, [])
    lines = list(read_lines(tmp_path / "lines.jsonl"))
    assert [(one.number, one.custom_id) for one in lines] == [(0, "a"), (2, "b")]
    assert lines[1] == Line(2, "b", b'{"n":  1e0}')


@pytest.mark.parametrize("name", BAD)
def test_a_bad_line_is_named(name: str, tmp_path: Path) -> None:
    bad, code = BAD[name]
    total, problems = checked(tmp_path, jsonl(line("first"), bad))
    assert (total, problems) == (2, [(code, 2)])


def test_ids_are_unique(tmp_path: Path) -> None:
    assert checked(tmp_path, jsonl(GOOD, GOOD)) == (2, [("duplicate_custom_id", 2)])


@pytest.mark.parametrize("content", [b"", b"\n\n \n"])
def test_a_file_without_lines_is_none(content: bytes, tmp_path: Path) -> None:
    assert checked(tmp_path, content) == (0, [("empty_file", None)])


def test_reading_ends_at_what_is_too_much(tmp_path: Path) -> None:
    many = jsonl(*(line(str(number)) for number in range(5000)))
    assert checked(tmp_path, many) == (11, [("too_many_lines", 11)])
    assert checked(tmp_path, b"\n" * 5000) == (0, [("too_many_lines", 21)])
    long = jsonl(line("a", prompt="x" * 20_000), line("a"))
    assert checked(tmp_path, long) == (0, [("line_too_long", 1)])
    _, problems = checked(tmp_path, jsonl(*[b"{"] * 500), most_lines=1000)
    assert len(problems) == MOST_PROBLEMS
