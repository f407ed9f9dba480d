"""The right to keep alerts in a file: two controllers in one would end each other's alerts, and tell that to people."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


class Claim:
    """A lock beside ``path``, taken when it is first needed. The system releases it when its holder ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[bytes] | None = None
        self._released = False

    def release(self) -> None:
        """Let somebody else have it, for good."""
        self._released = True
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def refusal(self) -> str:
        """Why the file may not be touched now; empty when it may."""
        if self._lock is not None:
            return ""
        if self._released:
            return "this controller has ended"
        try:
            lock = self._path.with_name(f"{self._path.name}.lock").open("ab")
        except OSError as error:
            return error.strerror or type(error).__name__
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            return "another controller keeps its own there; give each a monitor.history_file"
        self._lock = lock
        return ""
