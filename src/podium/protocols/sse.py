"""Server-sent events, and lines of JSON: the bytes of one."""

from __future__ import annotations

DONE = b"data: [DONE]\n\n"
_OTHER_BREAKS = (("\u2028", b"\\u2028"), ("\u2029", b"\\u2029"), ("\u0085", b"\\u0085"))
_ESCAPES = tuple((character.encode(), escaped) for character, escaped in _OTHER_BREAKS)


def one_line(json: bytes) -> bytes:
    """Encoded JSON, alone or in events, without what Python's ``str.splitlines`` takes for the end of a line.

    httpx reads lines so, and with it Ollama's and Hugging Face's clients, and whoever reads a downloaded file.
    """
    if not json.isascii():
        for character, escaped in _ESCAPES:
            json = json.replace(character, escaped)
    return json


def data_event(payload: bytes) -> bytes:
    """An event that has only data. ``payload`` is one line (encoded JSON always is)."""
    return b"data: " + payload + b"\n\n"


def named_event(name: bytes, event_id: bytes, payload: bytes) -> bytes:
    """An event with a name, an id and data."""
    return b"id: " + event_id + b"\nevent: " + name + b"\ndata: " + payload + b"\n\n"
