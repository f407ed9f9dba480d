"""Server-sent events: the bytes of one event."""

from __future__ import annotations

DONE = b"data: [DONE]\n\n"


def data_event(payload: bytes) -> bytes:
    """An event that has only data. ``payload`` is one line (encoded JSON always is)."""
    return b"data: " + payload + b"\n\n"


def named_event(name: bytes, event_id: bytes, payload: bytes) -> bytes:
    """An event with a name, an id and data."""
    return b"id: " + event_id + b"\nevent: " + name + b"\ndata: " + payload + b"\n\n"
