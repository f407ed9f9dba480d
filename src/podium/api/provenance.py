"""Who answers a request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from podium.api.record import RequestRecord
from podium.api.standings import joined
from podium.core.standing import Standing


class Provenance(Protocol):
    """The model behind an answer, and where answering it leaves the caller."""

    @property
    def model(self) -> str:
        """Name of the model, resolved from an alias."""

    @property
    def version(self) -> str:
        """Version of the model."""

    @property
    def engine(self) -> str:
        """Engine kind."""

    @property
    def standings(self) -> Sequence[Standing]:
        """The caller's quotas after this request was admitted; empty where none apply."""


def note_provenance(record: RequestRecord, answer: Provenance) -> None:
    """Put down who answers, for the log, metrics and headers; the standings of several answers of a call add up."""
    record.model, record.version, record.engine = answer.model, answer.version, answer.engine
    record.standings = joined(record.standings, answer.standings)
