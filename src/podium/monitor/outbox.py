"""Messages that no receiver has taken yet, in a file: a controller that ends, however it ends, loses none of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import msgspec
import structlog

from podium.monitor.alerts import Episode
from podium.monitor.claim import Claim
from podium.monitor.line_file import LineFile
from podium.monitor.messages import delivery

log = structlog.get_logger(__name__)

MOST_LINES = 2000
"""A file of more is written anew with what waits."""


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """``episode`` waits for ``receiver``; without one, the message ``settled`` does not any more."""

    receiver: str
    episode: Episode | None = None
    settled: str = ""


class Outbox:
    """Appends to ``path``, which the first message makes and which is emptied whenever nothing waits. None: no file.

    ``claim``: whether this process may touch it. A disk that is full, or a file of another controller, keeps no message
    from being sent: ``problem`` says what would be lost at the end.
    """

    def __init__(self, path: Path | None, claim: Claim | None = None) -> None:
        self._file = None if path is None else LineFile(path)
        self._claim = claim
        self._waiting: dict[tuple[str, str], Episode] = {}
        self._lines = 0
        self.problem = ""
        self._load()

    def waiting(self, receiver: str) -> list[Episode]:
        """What waits for a receiver, the oldest first."""
        return [episode for (name, _), episode in self._waiting.items() if name == receiver]

    def keep_only(self, receivers: set[str]) -> None:
        """Forget what waits for receivers that there are no more, and write the file anew."""
        self._waiting = {key: episode for key, episode in self._waiting.items() if key[0] in receivers}
        if self._waiting or (self._file is not None and self._file.path.exists()):
            self._rewrite()

    def put(self, receiver: str, episode: Episode) -> None:
        """Remember that ``episode`` waits. Never raises; blocks for as long as a line takes to write."""
        self._waiting[receiver, delivery(episode)] = episode
        self._append(_Line(receiver, episode))

    def settle(self, receiver: str, episode: Episode) -> None:
        """It was taken, or given up. Never raises."""
        self._waiting.pop((receiver, delivery(episode)), None)
        if self._waiting and self._lines < MOST_LINES:
            self._append(_Line(receiver, settled=delivery(episode)))
        else:
            self._rewrite()

    def _load(self) -> None:
        lines: list[bytes] = []
        if self._file is not None and self._file.path.exists():
            file = self._file
            self._do(lambda: lines.extend(file.read()))
        for line in filter(None, map(_decoded, lines)):
            if line.episode is not None:
                self._waiting[line.receiver, delivery(line.episode)] = line.episode
            else:
                self._waiting.pop((line.receiver, line.settled), None)

    def _append(self, line: _Line) -> None:
        self._lines += 1
        if (file := self._file) is not None:
            self._do(lambda: file.append(msgspec.json.encode(line)))

    def _rewrite(self) -> None:
        lines = [msgspec.json.encode(_Line(name, episode)) for (name, _), episode in self._waiting.items()]
        self._lines = len(lines)
        if (file := self._file) is not None:
            self._do(lambda: file.rewrite(lines))

    def _do(self, act: Callable[[], None]) -> None:
        """Something with the file, if it is ours."""
        if self._claim is not None and (refusal := self._claim.refusal()):
            self._failed(refusal)
            return
        try:
            act()
        except OSError as error:
            self._failed(error.strerror)
        else:
            self.problem = ""

    def _failed(self, reason: str | None) -> None:
        assert self._file is not None  # noqa: S101 - this is a bug: nothing was to be kept
        self.problem = f"messages that wait are not kept in {self._file.path}: {reason}"
        log.warning("waiting messages", problem=self.problem)


def _decoded(line: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(line, type=_Line)
    except (msgspec.DecodeError, UnicodeDecodeError):  # one that was being written in a crash
        return None
