"""One log of many processes: every line says whose it is."""

from __future__ import annotations

from typing import TextIO

from podium.core.terminal_text import visible_but_colours


class MergedLog:
    """Writes lines of several processes to one stream, each with its process's name in front.

    What a terminal would obey is shown and not sent, but for colours: a line may hold what a client sent.
    """

    def __init__(self, stream: TextIO, names: tuple[str, ...]) -> None:
        self._stream = stream
        self._width = max(map(len, names), default=0)

    def write(self, name: str, line: str) -> None:
        """One line of the process ``name``."""
        self._stream.write(f"{name:<{self._width}} | {visible_but_colours(line)}\n")
        self._stream.flush()
