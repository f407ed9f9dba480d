"""The log that a child writes into a file, read as it grows."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

NOT_JSON = "not json"
_LAST_WORDS = 400


class LogFile:
    """Whole lines of ``path``, which exists. Any thread may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._at = 0
        self._lines: list[str] = []
        self._records: list[dict[str, Any]] = []

    def lines(self) -> list[str]:
        """Those so far."""
        self._read()
        return list(self._lines)

    def records(self) -> list[dict[str, Any]]:
        """The same as records; a line that is none is one of the event ``not json``, with the text as its ``line``."""
        self._read()
        return list(self._records)

    def all_of(self, event: str) -> Iterator[dict[str, Any]]:
        """Records of one event, in their order."""
        return (record for record in self.records() if record.get("event") == event)

    def first_of(self, event: str) -> dict[str, Any] | None:
        """The first record of one event; None as long as there is none."""
        return next(self.all_of(event), None)

    def last_words(self) -> str:
        """What a program said last: its message where it ended with one, else its last line, cut at 400 characters."""
        said = [line for line in self.lines() if line.strip()]
        errors = [line for line in said if line.startswith("error:")]
        return (errors or said or ["it said nothing"])[-1].removeprefix("error:").strip()[:_LAST_WORDS]

    def _read(self) -> None:
        with self._lock, self._path.open("rb") as file:
            file.seek(self._at)
            whole, newline, _ = file.read().rpartition(b"\n")
            self._at += len(whole) + len(newline)
            for line in whole.decode(errors="replace").split("\n") if newline else ():
                self._lines.append(line)
                self._records.append(_record(line))


def _record(line: str) -> dict[str, Any]:
    """Of ``podium up``, the name of a process stands in front of a record."""
    start = line.find("{")
    try:
        found = json.loads(line[start:]) if start >= 0 else None
    except ValueError:
        found = None
    return found if isinstance(found, dict) else {"event": NOT_JSON, "line": line}
