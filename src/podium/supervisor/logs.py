"""One log of many processes: every line says whose it is."""

from __future__ import annotations

import re
from typing import TextIO

_COLOUR = "\x1b\\[[0-9;]*m"
_CONTROL = re.compile(f"({_COLOUR})|[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]")  # all but the tab


class MergedLog:
    """Writes lines of several processes to one stream, each with its process's name in front.

    What a terminal would obey is shown and not sent, but for colours: a line may hold what a client sent.
    """

    def __init__(self, stream: TextIO, names: tuple[str, ...]) -> None:
        self._stream = stream
        self._width = max(map(len, names), default=0)

    def write(self, name: str, line: str) -> None:
        """One line of the process ``name``."""
        self._stream.write(f"{name:<{self._width}} | {_CONTROL.sub(_shown, line)}\n")
        self._stream.flush()


def _shown(found: re.Match[str]) -> str:
    return found[1] or found[0].encode("unicode_escape").decode()
