"""A file of lines with one writer: what a crash or a full disk left half written spoils no line after it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


class LineFile:
    """Lines are appended to ``path``, which the first one makes. Everything raises ``OSError`` as the system does."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> list[bytes]:
        """Every line, also one that was not finished; none where there is no file."""
        try:
            return self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return []

    def append(self, line: bytes) -> None:
        """Add one line, on a line of its own whatever the last writer left."""
        with self.path.open("a+b") as file:
            torn = file.seek(0, os.SEEK_END) > 0 and file.seek(-1, os.SEEK_END) >= 0 and file.read(1) != b"\n"
            file.write((b"\n" if torn else b"") + line + b"\n")

    def rewrite(self, lines: Iterable[bytes]) -> None:
        """Have these lines and no others: all of them, or, after a crash, all of before."""
        fresh = self.path.with_name(self.path.name + ".new")
        fresh.write_bytes(b"".join(line + b"\n" for line in lines))
        fresh.replace(self.path)
