"""Stop strings, also those that begin in one token and end in another."""

from __future__ import annotations


class StopMatcher:
    """Passes text on as soon as no stop string can begin in it any more.

    Text produced while ``armed`` was false can begin a match only if the match ends later.
    """

    def __init__(self, stops: tuple[str, ...]) -> None:
        self._stops = stops
        self._held = ""

    def push(self, text: str, *, armed: bool = True) -> tuple[str, str | None]:
        """(text to give out, the stop string that was met or None).

        The earliest match wins; text from its first character on is dropped. While not ``armed``
        (below ``min_tokens``) nothing ends, and only a possible beginning is held back.
        """
        pending = self._held + text
        if armed:
            found = self._first_match(pending)
            if found is not None:
                position, stop = found
                self._held = ""
                return pending[:position], stop
        keep = self._possible_beginning(pending)
        self._held = pending[len(pending) - keep :]
        return pending[: len(pending) - keep], None

    def flush(self) -> str:
        """What is still held, at the end of the sequence."""
        held, self._held = self._held, ""
        return held

    def _first_match(self, text: str) -> tuple[int, str] | None:
        matches = [(position, stop) for stop in self._stops if (position := text.find(stop)) >= 0]
        return min(matches, default=None)

    def _possible_beginning(self, text: str) -> int:
        """Length of the longest end of ``text`` that is a proper beginning of a stop string."""
        for size in range(min(len(text), max(map(len, self._stops)) - 1), 0, -1):
            tail = text[-size:]
            if any(stop.startswith(tail) for stop in self._stops):
                return size
        return 0
