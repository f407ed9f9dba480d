"""What a Redis server answers, byte by byte, with bounds on everything that it could make large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

MIB = 1024**2
MOST_REPLY_BYTES = 64 * MIB
MOST_LINE_BYTES = 64 * 1024
MOST_ELEMENTS = 1_000_000
MOST_DEPTH = 8
MOST_DIGITS = 20
REASON_CHARACTERS = 40
VERBATIM_PREFIX_BYTES = 4  # such as ``txt:``

_END = b"\r\n"
_LINES = frozenset(b"+-:_,#")
_BULKS = frozenset(b"$=")
_KINDS = _LINES | _BULKS | frozenset(b"*~%")


class GarbledReply(ValueError):
    """Bytes that are no answer, or a larger one than any that is asked for."""


@dataclass(frozen=True, slots=True)
class ErrorReply:
    """The server's refusal. ``reason`` is the first word of it; the rest may hold keys."""

    reason: str


class Incomplete:
    """The type of ``INCOMPLETE``."""


INCOMPLETE: Final = Incomplete()


@dataclass(slots=True)
class _Container:
    kind: int
    size: int
    items: list[Any]

    @property
    def is_full(self) -> bool:
        return len(self.items) == self.size

    def value(self) -> Any:
        if self.kind != ord("%"):
            return self.items
        try:
            return dict(zip(self.items[::2], self.items[1::2], strict=True))
        except TypeError as error:
            raise GarbledReply("a map with a key that is no text") from error


class ReplyReader:
    """Turns bytes into answers as they arrive (RESP2, and of RESP3 what servers send without being asked for more).

    Texts come as ``bytes``, numbers as ``int`` or ``float``, lists and sets as ``list``, maps as ``dict``,
    nothing as ``None``, a refusal as ``ErrorReply``, also inside a list. Every method raises ``GarbledReply``
    for anything else; the reader is of no use after that.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._at = 0
        self._bytes = 0
        self._open: list[_Container] = []
        self._elements = 0

    @property
    def is_empty(self) -> bool:
        """Whether every byte belonged to an answer that was taken."""
        return not self._buffer and not self._open

    def feed(self, data: bytes) -> None:
        """Add what has arrived."""
        self._buffer += data
        self._bytes += len(data)
        if self._bytes > MOST_REPLY_BYTES:
            raise GarbledReply("a longer answer than any")

    def take(self) -> Any:
        """The next answer, or ``INCOMPLETE``."""
        while True:
            value = self._next()
            if value is INCOMPLETE:
                self._drop_read()
                return INCOMPLETE
            if isinstance(value, _Container):
                self._descend(value)
            elif not self._open:
                return self._finished(value)
            else:
                self._open[-1].items.append(value)
            while self._open[-1].is_full:
                value = self._open.pop().value()
                if not self._open:
                    return self._finished(value)
                self._open[-1].items.append(value)

    def _finished(self, value: Any) -> Any:
        self._drop_read()
        self._bytes = len(self._buffer)
        self._elements = 0
        return value

    def _drop_read(self) -> None:
        del self._buffer[: self._at]
        self._at = 0

    def _descend(self, container: _Container) -> None:
        self._open.append(container)
        self._elements += container.size
        if len(self._open) > MOST_DEPTH or self._elements > MOST_ELEMENTS:
            raise GarbledReply("a larger list than any")

    def _next(self) -> Any:
        """The next piece: a value, a container that is still empty, or ``INCOMPLETE``."""
        if self._at == len(self._buffer):
            return INCOMPLETE
        kind = self._buffer[self._at]
        if kind not in _KINDS:
            raise GarbledReply("an unknown kind of answer")
        end = self._buffer.find(_END, self._at, self._at + MOST_LINE_BYTES)
        if end < 0:
            if len(self._buffer) - self._at >= MOST_LINE_BYTES:
                raise GarbledReply("a longer line than any")
            return INCOMPLETE
        line = bytes(self._buffer[self._at + 1 : end])
        if kind in _BULKS:
            return self._bulk(kind, line, end + len(_END))
        self._at = end + len(_END)
        if kind in _LINES:
            return _line(kind, line)
        size = _size(line)
        return None if size is None else _Container(kind, 2 * size if kind == ord("%") else size, [])

    def _bulk(self, kind: int, line: bytes, start: int) -> Any:
        size = _size(line)
        if size is None:
            self._at = start
            return None
        if size > MOST_REPLY_BYTES:
            raise GarbledReply("a longer text than any")
        end = start + size
        if len(self._buffer) < end + len(_END):
            return INCOMPLETE
        if self._buffer[end : end + len(_END)] != _END:
            raise GarbledReply("a text of another length than it says")
        self._at = end + len(_END)
        return bytes(self._buffer[start + VERBATIM_PREFIX_BYTES if kind == ord("=") else start : end])


def _line(kind: int, line: bytes) -> Any:
    if kind == ord("+"):
        return line
    if kind == ord("-"):
        reason = line.partition(b" ")[0][:REASON_CHARACTERS].decode("ascii", "replace")
        return ErrorReply(reason if reason.isalnum() else "ERR")
    if kind == ord(":"):
        return _integer(line)
    if kind == ord("#") and line in (b"t", b"f"):
        return line == b"t"
    if kind == ord(",") and len(line) <= REASON_CHARACTERS:
        try:
            return float(line)
        except ValueError as error:
            raise GarbledReply("a number that is none") from error
    if kind == ord("_") and not line:
        return None
    raise GarbledReply("a line that says nothing")


def _size(line: bytes) -> int | None:
    """A length; none for RESP2's way to say nothing (-1)."""
    size = _integer(line)
    if size < -1:
        raise GarbledReply("a length below nothing")
    return None if size == -1 else size


def _integer(line: bytes) -> int:
    digits = line[1:] if line[:1] == b"-" else line
    if not digits.isdigit() or len(digits) > MOST_DIGITS:
        raise GarbledReply("a number that is none")
    return int(line)
