"""One call, ``{"name": …, "arguments": {…}}``, read as its characters come."""

from __future__ import annotations

from collections.abc import Container

import msgspec

ARGUMENTS = ("arguments", "parameters")
_NO_ARGUMENTS = "{}"


class CallReader:
    """Reads one call of a tool in ``offered``.

    ``raw`` is all that was read, white space before it included. ``name`` is there as soon as it is known to be
    offered. ``ended``: nothing more belongs to it. Ended without a name, it was no call, but text. With ``name``
    given, only the object of arguments is read.
    """

    def __init__(self, offered: Container[str], *, name: str | None = None) -> None:
        self.raw = ""
        self.name = name
        self.ended = False
        self._offered = offered
        self._only_arguments = name is not None
        self._depth = 1 if self._only_arguments else 0
        self._in_string = False
        self._escaped = False
        self._member: str | None = ARGUMENTS[0] if self._only_arguments else None
        self._text = ""
        self._streams = False
        self._arguments = ""
        self._told_arguments = False

    def read(self, text: str) -> str:
        """Read on; what is left of ``text`` when the call has ended."""
        for position, character in enumerate(text):
            if self.ended:
                return text[position:]
            self.raw += character
            self._take(character)
        return ""

    def take_arguments(self) -> str:
        """What has come of the arguments since the last time; nothing before the name is known."""
        if self.name is None:
            return ""
        if self.ended and not (self._arguments or self._told_arguments):
            self._arguments = _NO_ARGUMENTS
        piece, self._arguments = self._arguments, ""
        self._told_arguments = self._told_arguments or bool(piece)
        return piece

    def _take(self, character: str) -> None:
        if self._in_string:
            self._take_in_string(character)
        elif self._depth == 0:
            self._begin(character)
        elif self._depth == 1 and character in ",:}":
            self._divide(character)
        else:
            self._take_structure(character)

    def _begin(self, character: str) -> None:
        if character == "{":
            self._depth = 1
        elif not character.isspace():
            self.ended = True

    def _take_in_string(self, character: str) -> None:
        if self._escaped:
            self._escaped = False
        elif character == "\\":
            self._escaped = True
        elif character == '"':
            self._in_string = False
        self._keep(character)

    def _take_structure(self, character: str) -> None:
        if character == '"':
            self._in_string = True
        if character in "}]":
            self._depth -= 1
        self._keep(character)
        if character in "{[":
            self._depth += 1
        self.ended = self._only_arguments and self._depth == 1

    def _keep(self, character: str) -> None:
        """The object that is the arguments is handed on at once, everything else when its member has ended."""
        if self._member in ARGUMENTS and not self._text.strip() and character == "{":
            self._streams = True
        if self._streams:
            if not character.isspace() or self._depth > 1:
                self._arguments += character
        else:
            self._text += character

    def _divide(self, character: str) -> None:
        """At the outermost level: the end of a member's name, of its value, or of the call."""
        if character == ":":
            name = _decoded_text(self._text) if self._member is None else None
            self._member, self._text = name, ""
            self.ended = name is None
            return
        if self._member is not None:
            self._finish_member()
        self._member, self._text, self._streams = None, "", False
        self.ended = self.ended or character == "}"

    def _finish_member(self) -> None:
        if self._member == "name":
            name = _decoded_text(self._text)
            self.name = name if name is not None and name in self._offered else None
            self.ended = self.name is None
        elif self._member in ARGUMENTS and not self._streams:
            written = _decoded_text(self._text)  # some models write the object as a string
            self._arguments = written or ""


def _decoded_text(text: str) -> str | None:
    """The string that ``text`` is in JSON, or None."""
    try:
        return msgspec.json.decode(text, type=str)
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
