"""Messages that no receiver has taken yet, in a file: a controller that ends, however it ends, loses none of them."""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from podium.monitor.alerts import Episode
from podium.monitor.messages import delivery

log = structlog.get_logger(__name__)


class _Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """``episode`` waits for ``receiver``; without one, the message ``settled`` does not any more."""

    receiver: str
    episode: Episode | None = None
    settled: str = ""


class Outbox:
    """Appends to ``path``, which the first message makes and which is emptied whenever nothing waits. None: no file.

    A disk that is full keeps no message from being sent: ``problem`` says what would be lost at the end.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._waiting: dict[tuple[str, str], Episode] = {}
        self.problem = ""
        self._load()

    def waiting(self, receiver: str) -> list[Episode]:
        """What waits for a receiver, the oldest first."""
        return [episode for (name, _), episode in self._waiting.items() if name == receiver]

    def keep_only(self, receivers: set[str]) -> None:
        """Forget what waits for receivers that there are no more, and write the file anew."""
        self._waiting = {key: episode for key, episode in self._waiting.items() if key[0] in receivers}
        lines = [_encoded(_Line(name, episode)) for (name, _), episode in self._waiting.items()]
        if self._path is not None and (lines or self._path.exists()):
            self._write(b"".join(lines), "wb")

    def put(self, receiver: str, episode: Episode) -> None:
        """Remember that ``episode`` waits. Never raises; blocks for as long as a line takes to write."""
        self._waiting[receiver, delivery(episode)] = episode
        self._write(_encoded(_Line(receiver, episode)), "ab")

    def settle(self, receiver: str, episode: Episode) -> None:
        """It was taken, or given up. Never raises."""
        self._waiting.pop((receiver, delivery(episode)), None)
        if self._waiting:
            self._write(_encoded(_Line(receiver, settled=delivery(episode))), "ab")
        else:
            self._write(b"", "wb")

    def _load(self) -> None:
        try:
            lines = [] if self._path is None else self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        except OSError as error:
            self._failed(error)
            return
        for line in filter(None, map(_decoded, lines)):
            if line.episode is not None:
                self._waiting[line.receiver, delivery(line.episode)] = line.episode
            else:
                self._waiting.pop((line.receiver, line.settled), None)

    def _write(self, text: bytes, mode: str) -> None:
        if self._path is None:
            return
        try:
            with self._path.open(mode) as file:
                file.write(text)
        except OSError as error:
            self._failed(error)
        else:
            self.problem = ""

    def _failed(self, error: OSError) -> None:
        self.problem = f"messages that wait are not kept in {self._path}: {error.strerror}"
        log.warning("waiting messages", problem=self.problem)


def _encoded(line: _Line) -> bytes:
    return msgspec.json.encode(line) + b"\n"


def _decoded(line: bytes) -> _Line | None:
    try:
        return msgspec.json.decode(line, type=_Line)
    except msgspec.DecodeError:  # one that was being written in a crash
        return None
