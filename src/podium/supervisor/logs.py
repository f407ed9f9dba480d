"""One log of many processes: every line says whose it is."""

from __future__ import annotations

from typing import TextIO


class MergedLog:
    """Writes lines of several processes to one stream, each with its process's name in front."""

    def __init__(self, stream: TextIO, names: tuple[str, ...]) -> None:
        self._stream = stream
        self._width = max(map(len, names), default=0)

    def write(self, name: str, line: str) -> None:
        """One line of the process ``name``."""
        self._stream.write(f"{name:<{self._width}} | {line}\n")
        self._stream.flush()
