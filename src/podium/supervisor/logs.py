"""One log of many processes: every line says whose it is."""

from __future__ import annotations

import datetime as dt
from typing import Any, TextIO

import msgspec

from podium.core.terminal_text import visible_but_colours


class MergedLog:
    """Writes lines of several processes to one stream: each with its process's name in front.

    What a terminal would obey is shown and not sent, but for colours: a line may hold what a client sent.
    With ``as_json`` every line is one JSON object, and ``process`` is the name.
    """

    def __init__(self, stream: TextIO, names: tuple[str, ...], *, as_json: bool) -> None:
        self._stream = stream
        self._width = max(map(len, names), default=0)
        self._as_json = as_json

    def write(self, name: str, line: str) -> None:
        """One line of the process ``name``."""
        text = _record(name, line) if self._as_json else f"{name:<{self._width}} | {visible_but_colours(line)}"
        self._stream.write(text + "\n")
        self._stream.flush()


def _record(name: str, line: str) -> str:
    """The process's own record, or one around a line that is none, as those of Envoy are."""
    try:
        record = msgspec.json.decode(line, type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeEncodeError):
        now = dt.datetime.now(dt.UTC).isoformat().replace("+00:00", "Z")
        record = {"ts": now, "event": "process output", "line": line.encode("utf-8", "replace").decode()}
    return msgspec.json.encode({**record, "process": name}).decode()
