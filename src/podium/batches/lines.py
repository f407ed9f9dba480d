"""The lines of an input file, and what must be right about all of them before the first one runs."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from podium.core.batch import Problem

MOST_PROBLEMS = 100
_LONGEST_CUSTOM_ID = 512
_AROUND_BODY = 8192  # bytes of a line beside its body


class Line(msgspec.Struct, frozen=True):
    """One line; ``number`` counts the lines of the file from 0, empty ones too."""

    number: int
    custom_id: str
    body: bytes


class _Written(msgspec.Struct, frozen=True):
    custom_id: str
    method: str
    url: str
    body: msgspec.Raw


class _Body(msgspec.Struct, frozen=True):
    stream: Any = None


_UNREADABLE = (msgspec.MsgspecError, UnicodeError, RecursionError)
_line = msgspec.json.Decoder(_Written).decode
_body = msgspec.json.Decoder(_Body).decode


class DamagedInput(Exception):
    """A file that was right when it was checked is not any more. ``line`` counts from 1."""

    def __init__(self, line: int) -> None:
        super().__init__(f"line {line}")
        self.line = line


def read_lines(path: Path) -> Generator[Line, None, None]:
    """The lines of a file that ``check`` found nothing wrong with. Raises ``DamagedInput``."""
    with path.open("rb") as file:
        for number, text in enumerate(file):
            if text.strip():
                try:
                    written = _line(text)
                except _UNREADABLE as error:
                    raise DamagedInput(number + 1) from error
                yield Line(number, written.custom_id, bytes(written.body))


def check(path: Path, endpoint: str, *, most_lines: int, body_bytes: int) -> tuple[int, list[Problem]]:
    """How many lines a file has, and up to 100 reasons why it cannot run; stops reading at what is too much."""
    with path.open("rb") as file:
        return _Check(endpoint, most_lines, body_bytes + _AROUND_BODY).read(file)


class _Check:
    def __init__(self, endpoint: str, most_lines: int, line_bytes: int) -> None:
        self._endpoint = endpoint
        self._most_lines = most_lines
        self._line_bytes = line_bytes
        self._ids: set[str] = set()
        self._problems: list[Problem] = []
        self._total = 0

    def read(self, file: BinaryIO) -> tuple[int, list[Problem]]:
        number = 0
        while len(self._problems) < MOST_PROBLEMS and (text := file.readline(self._line_bytes + 1)):
            number += 1
            if len(text) > self._line_bytes:
                self._note("line_too_long", f"A line is longer than {self._line_bytes} bytes.", number)
                break
            self._total += bool(text.strip())
            if self._total > self._most_lines or number > 2 * self._most_lines:  # empty ones cost time too
                self._note("too_many_lines", f"A batch has at most {self._most_lines} lines. Make several.", number)
                break
            if text.strip():
                self._check_line(text, number)
        if not self._total and not self._problems:
            self._note("empty_file", "The file has no lines. Write one JSON object a line.", None)
        return self._total, self._problems

    def _check_line(self, text: bytes, number: int) -> None:
        try:
            written = _line(text)
            body = _body(written.body)
        except _UNREADABLE:
            self._note(
                "invalid_json_line",
                "A line must be a JSON object with `custom_id`, `method` and `url`, all text, and the object `body`.",
                number,
            )
            return
        self._check_id(written.custom_id, number)
        if written.method != "POST":
            self._note("invalid_method", "`method` must be POST.", number, "method")
        if written.url != self._endpoint:
            self._note("mismatched_url", "`url` must be the batch's `endpoint`.", number, "url")
        if body.stream not in (None, False):
            self._note("invalid_request", "A batch does not stream: leave `stream` out.", number, "body.stream")

    def _check_id(self, custom_id: str, number: int) -> None:
        if not 0 < len(custom_id) <= _LONGEST_CUSTOM_ID:
            told = f"`custom_id` must have 1 to {_LONGEST_CUSTOM_ID} characters."
            self._note("invalid_custom_id", told, number, "custom_id")
        elif custom_id in self._ids:
            self._note("duplicate_custom_id", "`custom_id` must be unique in the file.", number, "custom_id")
        self._ids.add(custom_id)

    def _note(self, code: str, message: str, line: int | None, param: str | None = None) -> None:
        self._problems.append(Problem(code, message, line, param))
