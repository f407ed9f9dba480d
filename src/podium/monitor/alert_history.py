"""What alerts did, in a file: it outlives the controller. A line for each alert that begins, and one for its end."""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from podium.monitor.alerts import MOST_PAST, Episode

log = structlog.get_logger(__name__)

MOST_LINES = 10 * MOST_PAST


class AlertHistory:
    """Appends to ``path``, which the first alert makes. ``path`` None: nothing is kept.

    A disk that is full or a file that cannot be written keeps nobody from judging: ``problem`` says what is lost.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.problem = ""

    def load(self) -> list[Episode]:
        """The newest episodes that have ended, and all that went on when the last controller ended; oldest first.

        Lines that cannot be read, such as one that was being written in a crash, are left out. A file that has grown
        is written anew with what is kept.
        """
        lines = self._lines()
        known: dict[tuple[str, float], Episode] = {}
        for episode in filter(None, map(_decoded, lines)):
            known[episode.alert.fingerprint, episode.fired_at] = episode
        ended = [episode for episode in known.values() if episode.ended_at is not None][-MOST_PAST:]
        kept = [*ended, *(episode for episode in known.values() if episode.ended_at is None)]
        if len(lines) > MOST_LINES:
            self._rewrite(kept)
        return kept

    def note(self, episode: Episode) -> None:
        """Remember that it began or ended. Never raises; blocks for as long as a line takes to write."""
        if self._path is None:
            return
        try:
            with self._path.open("ab") as file:
                file.write(msgspec.json.encode(episode) + b"\n")
        except OSError as error:
            self._failed(error)
        else:
            self.problem = ""

    def _lines(self) -> list[bytes]:
        if self._path is None:
            return []
        try:
            return self._path.read_bytes().splitlines()
        except FileNotFoundError:
            return []
        except OSError as error:
            self._failed(error)
            return []

    def _rewrite(self, episodes: list[Episode]) -> None:
        assert self._path is not None  # noqa: S101 - this is a bug: there are lines
        fresh = self._path.with_name(self._path.name + ".new")
        try:
            fresh.write_bytes(b"".join(msgspec.json.encode(episode) + b"\n" for episode in episodes))
            fresh.replace(self._path)
        except OSError as error:
            self._failed(error)

    def _failed(self, error: OSError) -> None:
        self.problem = f"alerts are not kept in {self._path}: {error.strerror}"
        log.warning("alert history", problem=self.problem)


def _decoded(line: bytes) -> Episode | None:
    try:
        return msgspec.json.decode(line, type=Episode)
    except msgspec.DecodeError:
        return None
