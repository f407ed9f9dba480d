"""Server-sent events, read with bounded memory.

Source of the format: WHATWG HTML, "Server-sent events", section "Interpreting an event stream". Only
what a stream of answers needs is kept: the ``data`` and ``event`` fields; ``id`` and ``retry`` are for
clients that reconnect.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_EVENT_BYTES = 1024**2
_LINE_END = re.compile(rb"\r\n|\n|\r")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class EventTooLarge(ValueError):
    """A line or an event exceeds the bound."""


@dataclass(frozen=True)
class Event:
    """One dispatched event; ``name`` is ``message`` unless the stream named it."""

    data: bytes
    name: bytes = b"message"


class EventReader:
    """Cuts a byte stream into events. ``lines`` counts whole lines, comments too: a sign of life."""

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.lines = 0
        self._max = max_event_bytes
        self._rest = bytearray()
        self._ended_in_return = False
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._name = b""

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that ``chunk`` completes. Raises ``EventTooLarge``; the stream is useless then."""
        events = []
        for line in self._split(chunk):
            if self.lines == 0:
                line = line.removeprefix(_BYTE_ORDER_MARK)  # noqa: PLW2901 - only ever before the first line
            self.lines += 1
            if line:
                self._field(line)
            elif (event := self._dispatch()) is not None:
                events.append(event)
        return events

    def _split(self, chunk: bytes) -> list[bytes]:
        if self._ended_in_return and chunk.startswith(b"\n"):
            chunk = chunk[1:]  # the second half of a line end that was cut in two
        if not chunk:
            return []
        self._ended_in_return = chunk.endswith(b"\r")
        first, *others = _LINE_END.split(chunk)
        self._rest += first
        if len(self._rest) > self._max:
            raise EventTooLarge("a line of the event stream is too long")
        if not others:
            return []
        lines = [bytes(self._rest), *others[:-1]]
        self._rest = bytearray(others[-1])
        return lines

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_bytes += len(value) + 1
            if self._data_bytes > self._max:
                raise EventTooLarge("an event of the stream is too long")
        elif name == b"event":
            self._name = value

    def _dispatch(self) -> Event | None:
        data, name = b"\n".join(self._data), self._name or b"message"
        seen = bool(self._data)
        self._data, self._data_bytes, self._name = [], 0, b""
        return Event(data, name) if seen else None
