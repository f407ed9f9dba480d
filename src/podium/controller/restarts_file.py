"""Which local servers were restarted, and when: written by the supervisor, read by the controller."""

from __future__ import annotations

import time
from pathlib import Path

import msgspec
import structlog

from podium.monitor.line_file import LineFile

log = structlog.get_logger(__name__)


class Restart(msgspec.Struct, frozen=True):
    """``environment``'s server ``process`` was started again ``at``, in seconds since 1970."""

    at: float
    environment: str
    process: str


class RestartsFile:
    """One line for each restart."""

    def __init__(self, path: Path) -> None:
        self._file = LineFile(path)

    def note(self, environment: str, process: str) -> None:
        """It has just been started again. Never raises: with a full disk one is not counted."""
        try:
            self._file.append(msgspec.json.encode(Restart(time.time(), environment, process)))
        except OSError as error:
            log.warning("a restart is not counted", process=process, reason=error.strerror)

    def count(self, environment: str, *, since: float) -> int:
        """Restarts of its servers after ``since``, in seconds since 1970, as far as they can be read."""
        found = filter(None, map(_decoded, self._file.read()))
        return sum(each.environment == environment and each.at > since for each in found)


def _decoded(line: bytes) -> Restart | None:
    try:
        return msgspec.json.decode(line, type=Restart)
    except (msgspec.DecodeError, UnicodeDecodeError):  # one that a full disk cut off
        return None
