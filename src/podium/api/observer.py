"""Who is told of every request."""

from __future__ import annotations

from typing import Protocol

from podium.api.record import RequestRecord


class RequestObserver(Protocol):
    """Told of every request: once when it arrives, once when it ends, with the same record and the same route.

    What a batch asks is no client's request: it is told once, when it ends, as ``background``.
    """

    def received(self, record: RequestRecord) -> None:
        """A request arrived. ``record.route`` is a route's template, or ``unmatched``; never caller's text."""

    def finished(self, record: RequestRecord) -> None:
        """It ended; ``record.outcome`` is of the closed set."""

    def background(self, record: RequestRecord) -> None:
        """A line of a batch was tried; ``record`` as for ``finished``."""


class NoObserver:
    """An observer that keeps nothing."""

    def received(self, record: RequestRecord) -> None:
        """Nothing is kept."""

    def finished(self, record: RequestRecord) -> None:
        """Nothing is kept."""

    def background(self, record: RequestRecord) -> None:
        """Nothing is kept."""
