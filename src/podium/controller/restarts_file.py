"""Which local servers were restarted, and when: written by the supervisor, read by the controller."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec


class Restart(msgspec.Struct, frozen=True):
    """``environment``'s server ``process`` was started again ``at``, in seconds since 1970."""

    at: float
    environment: str
    process: str


class RestartsFile:
    """One line for each restart."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def note(self, environment: str, process: str) -> None:
        """It has just been started again."""
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(Restart(time.time(), environment, process)) + b"\n")

    def count(self, environment: str, *, since: float) -> int:
        """Restarts of its servers after ``since``, in seconds since 1970."""
        try:
            lines = self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return 0
        found = [msgspec.json.decode(line, type=Restart) for line in lines]
        return sum(each.environment == environment and each.at > since for each in found)
