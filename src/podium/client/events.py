"""The events of a streamed generation, checked: a stream that is cut or changed raises, it never looks whole."""

from __future__ import annotations

import hashlib

import msgspec

from podium.client.errors import AnswerBroken, refusal_in_stream
from podium.client.results import Piece, StreamEnd


class StreamReader:
    """Follows one stream, line by line. ``end`` is there once it is whole."""

    def __init__(self) -> None:
        self.end: StreamEnd | None = None
        self._name = ""
        self._data = ""
        self._events = 0
        self._digest = hashlib.sha256()

    def read(self, line: str) -> Piece | None:
        """The piece that ``line`` completes, if any. Raises Refused for an error event, AnswerBroken for a bad sum."""
        field, _, value = line.partition(": ")
        if field == "event":
            self._name = value
        elif field == "data":
            self._data = value
        elif not line and self._data:
            name, data = self._name, self._data.encode()
            self._name = self._data = ""
            return self._take(name, data)
        return None

    def finish(self) -> None:
        """Call at the end of the lines. Raises AnswerBroken unless the stream was whole."""
        if self.end is None:
            raise AnswerBroken("The stream ended before the text did.")

    def _take(self, name: str, data: bytes) -> Piece | None:
        if name == "error":
            raise refusal_in_stream(data)
        if name == "token":
            piece = msgspec.json.decode(data, type=Piece)
            self._digest.update(piece.text.encode())
            self._events += 1
            return piece
        if name == "done":
            self.end = msgspec.json.decode(data, type=StreamEnd)
            if (self.end.events, self.end.sha256) != (self._events, self._digest.hexdigest()):
                raise AnswerBroken("The stream's pieces are not those that the server sent.")
        return None
