"""What alerts did, in a file: it outlives the controller. A line for each alert that begins, and one for its end."""

from __future__ import annotations

from pathlib import Path

import msgspec
import structlog

from podium.monitor.alerts import MOST_PAST, Episode
from podium.monitor.claim import Claim
from podium.monitor.line_file import LineFile

log = structlog.get_logger(__name__)

MOST_LINES = 10 * MOST_PAST


class AlertHistory:
    """Appends to ``path``, which the first alert makes. ``path`` None: nothing is kept.

    ``claim``: whether this process may touch it. A disk that is full, a file that cannot be written or one that is
    another controller's keeps nobody from judging: ``problem`` says what is lost.
    """

    def __init__(self, path: Path | None, claim: Claim | None = None) -> None:
        self._file = None if path is None else LineFile(path)
        self._claim = claim
        self.problem = ""

    def load(self) -> list[Episode]:
        """The newest episodes that have ended, and all that went on when the last controller ended; oldest first.

        Lines that cannot be read, such as one that was being written in a crash, are left out, and so is an alert
        without an end that began anew later: its end is such a line. A file that has grown is written anew with what
        is kept.
        """
        lines = self._lines()
        known: dict[tuple[str, float], Episode] = {}
        for episode in filter(None, map(_decoded, lines)):
            known[episode.alert.fingerprint, episode.fired_at] = episode
        last = dict(known.keys())  # when each began for the last time
        ended = [episode for episode in known.values() if episode.ended_at is not None][-MOST_PAST:]
        going_on = [each for key, each in known.items() if each.ended_at is None and last[key[0]] == key[1]]
        kept = [*ended, *going_on]
        if len(lines) > MOST_LINES:
            self._rewrite(kept)
        return kept

    def note(self, episode: Episode) -> None:
        """Remember that it began or ended. Never raises; blocks for as long as a line takes to write."""
        if self._file is None or self._is_refused():
            return
        try:
            self._file.append(msgspec.json.encode(episode))
        except OSError as error:
            self._failed(error.strerror)
        else:
            self.problem = ""

    def _lines(self) -> list[bytes]:
        if self._file is None or not self._file.path.exists() or self._is_refused():
            return []
        try:
            return self._file.read()
        except OSError as error:
            self._failed(error.strerror)
            return []

    def _rewrite(self, episodes: list[Episode]) -> None:
        assert self._file is not None  # noqa: S101 - this is a bug: there are lines
        try:
            self._file.rewrite(map(msgspec.json.encode, episodes))
        except OSError as error:
            self._failed(error.strerror)

    def _is_refused(self) -> bool:
        refusal = "" if self._claim is None else self._claim.refusal()
        if refusal:
            self._failed(refusal)
        return bool(refusal)

    def _failed(self, reason: str | None) -> None:
        assert self._file is not None  # noqa: S101 - this is a bug: nothing was to be kept
        self.problem = f"alerts are not kept in {self._file.path}: {reason}"
        log.warning("alert history", problem=self.problem)


def _decoded(line: bytes) -> Episode | None:
    try:
        return msgspec.json.decode(line, type=Episode)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
