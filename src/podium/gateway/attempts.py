"""What became of every attempt: the lines that Envoy writes, as records, and counts by environment.

Envoy writes a line when an attempt gets its connection, one every few seconds while it runs, and one at its end; they
have the same ``key``. An attempt that never gets a connection has the last one only.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec

from podium.gateway.route import SPLIT
from podium.protocols.answer_report import AnswerReport

_SERVER_ERROR = 500
_NO_ENVIRONMENT = "-"
_READ_BYTES = 1024 * 1024
_MILLISECONDS = 1e-3
_MICROSECONDS = 1e-6
_END = "UpstreamEnd"


class Attempt(msgspec.Struct, frozen=True):
    """One attempt of one request, at some moment. A request has a second one after the first has failed early.

    Attributes:
        moment: which of its lines it is, in Envoy's words; None is the last one.
        began: when it arrived, in seconds since 1970.
        environment, host: which server had it; None when none was found.
        cluster: what it was meant for, also when another environment had to take it.
        code: 0 when no answer came, yet.
        first_byte_us, body_us, duration_ms: None when it did not get there; ``body_us`` only when the answer was whole.
        user: what its sender calls itself.
        cache: what a Podium server says of its response cache: ``miss``, ``hit``, …
        report, stream_report: what a Podium server says of a whole answer, and of a stream at its end.
    """

    moment: str | None = None
    began: float | None = None
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
    duration_ms: int | None = None
    user: str | None = None
    cache: str | None = None
    report: str | None = None
    stream_report: str | None = None

    @property
    def ended(self) -> bool:
        """Whether this is the attempt's last line."""
        return self.moment in {None, _END}

    @property
    def key(self) -> str:
        """The same for every line of one attempt, and of no other: requests may share an id, but not a microsecond."""
        return f"{self.began}/{self.request_id}/{self.attempt}"

    @property
    def first_byte_seconds(self) -> float | None:
        """How long the first byte took; None while there is none."""
        return None if self.first_byte_us is None else self.first_byte_us * _MICROSECONDS

    @property
    def seconds(self) -> float:
        """How long it has run."""
        return (self.duration_ms or 0) * _MILLISECONDS

    @property
    def is_faulted(self) -> bool:
        """Whether Envoy names a fault of the server: a reset, a timeout, a breach. A client that leaves is none."""
        return self.flags not in {None, "-", ""}

    @property
    def answer(self) -> AnswerReport | None:
        """What its server says of the answer; None for a server that says nothing, and before a stream's end."""
        return AnswerReport.parse(self.stream_report) or AnswerReport.parse(self.report)

    @property
    def is_server_error(self) -> bool:
        """Whether it was answered with a 5xx."""
        return (self.code or 0) >= _SERVER_ERROR

    @property
    def was_split(self) -> bool:
        """Whether the weights sent it there: a first attempt that no header had pinned."""
        return self.route == SPLIT and self.attempt == 1

    @property
    def failed(self) -> bool:
        """Whether it had a 5xx, or no whole answer."""
        return not self.code or self.is_server_error or self.is_faulted


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
        """The attempts that have ended since the last call; also counted in ``counts``."""
        return [attempt for attempt in self.read_lines() if attempt.ended]

    def read_lines(self) -> list[Attempt]:
        """What has been added since the last call, complete lines only: several of one attempt. Counted as in ``read``.

        Empty means that everything was read that stood in the file then.
        """
        found: list[Attempt] = []
        while not found and (lines := self._lines()):
            found = [attempt for line in lines if (attempt := self._decoded(line)) is not None]
        for attempt in found:
            if not attempt.ended:
                continue
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
        except UnicodeDecodeError:  # a header that a client sent: the attempt counts all the same
            return self._decoded(line.decode(errors="replace").encode())
        except msgspec.DecodeError:
            self.unreadable += 1
            return None
