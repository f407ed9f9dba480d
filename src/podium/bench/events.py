"""Server-sent events out of stamped pieces of a body."""

from __future__ import annotations

from collections.abc import Iterator


class EventSplitter:
    """Feed it the body as it came; it yields whole events as (name, data). Lines may end in LF or CRLF."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The events that this piece completes."""
        text = self._rest + piece
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n")
        *events, self._rest = text.split(b"\n\n")
        for event in events:
            found = _read(event)
            if found is not None:
                yield found

    @property
    def rest(self) -> bytes:
        """What came after the last whole event."""
        return self._rest


def _read(event: bytes) -> tuple[bytes, bytes] | None:
    """Name and data; None for a comment or an event without data."""
    name, data = b"", []
    for line in event.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return (name, b"\n".join(data)) if data else None
