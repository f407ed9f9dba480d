"""What became of every attempt: the lines that Envoy writes, as records, and counts by environment."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from podium.gateway.route import SPLIT

_SERVER_ERROR = 500
_NO_ENVIRONMENT = "-"
_READ_BYTES = 1024 * 1024


class Attempt(msgspec.Struct, frozen=True):
    """One attempt of one request. A request has a second one after the first has failed before its first byte.

    ``environment`` and ``host`` are None when no server was found. ``code`` is 0 when no answer came.
    Durations are in microseconds, None when the attempt did not get there.
    """

    request_id: str | None = None
    route: str | None = None
    environment: str | None = None
    cluster: str | None = None
    host: str | None = None
    attempt: int | None = None
    code: int | None = None
    flags: str | None = None
    first_byte_us: int | None = None
    body_us: int | None = None

    @property
    def was_split(self) -> bool:
        """Whether the weights sent it there: a first attempt that no header had pinned."""
        return self.route == SPLIT and self.attempt == 1

    @property
    def failed(self) -> bool:
        """Whether the server failed it: a 5xx, or no whole answer."""
        return not self.code or self.code >= _SERVER_ERROR or self.flags not in {None, "-", ""}


@dataclass
class AttemptCounts:
    """Attempts of one environment. ``first`` are those that the weights sent there; retries and pins are not."""

    attempts: int = 0
    first: int = 0
    failed: int = 0


class AttemptsLog:
    """The file that Envoy appends to, read as it grows, from its beginning.

    When another file has taken the name, the rest of the one before is read first.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: BinaryIO | None = None
        self._rest = b""
        self._decoder = msgspec.json.Decoder(Attempt, strict=False)
        self.counts: dict[str, AttemptCounts] = {}
        self.unreadable = 0

    def read(self) -> list[Attempt]:
        """What has been added since the last call, complete lines only; also counted in ``counts``."""
        found = [attempt for line in self._lines() if (attempt := self._decoded(line)) is not None]
        for attempt in found:
            counts = self.counts.setdefault(attempt.environment or _NO_ENVIRONMENT, AttemptCounts())
            counts.attempts += 1
            counts.first += attempt.was_split
            counts.failed += attempt.failed
        return found

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _lines(self) -> list[bytes]:
        if self._file is None and not self._open():
            return []
        assert self._file is not None  # noqa: S101 - this is a bug: opened above
        data = self._file.read(_READ_BYTES)
        if not data and self._was_replaced():
            self.close()
            return self._lines()
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [line for line in lines if line]

    def _open(self) -> bool:
        try:
            self._file = self._path.open("rb")
        except FileNotFoundError:
            return False
        self._rest = b""
        return True

    def _was_replaced(self) -> bool:
        assert self._file is not None  # noqa: S101 - this is a bug: asked while open
        try:
            return self._path.stat().st_ino != os.fstat(self._file.fileno()).st_ino
        except FileNotFoundError:
            return False

    def _decoded(self, line: bytes) -> Attempt | None:
        try:
            return self._decoder.decode(line)
        except msgspec.DecodeError:
            self.unreadable += 1
            return None
