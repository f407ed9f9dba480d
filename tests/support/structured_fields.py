"""A small parser of structured header fields: lists of items with parameters (RFC 9651, section 4.2).

It knows strings, integers, tokens, booleans and byte sequences, and nothing of our code.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Token:
    """A word without quotes, which is another type than a string."""

    text: str


Bare = str | int | bool | bytes | Token

_STRING = re.compile(r'"((?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_INTEGER = re.compile(r"-?[0-9]{1,15}(?![0-9.])")
_TOKEN = re.compile(r"[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*")
_BYTES = re.compile(r":([A-Za-z0-9+/=]*):")
_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")


class Malformed(ValueError):
    """The text is not a list of items."""


@dataclass(frozen=True)
class Item:
    """A bare item and its parameters, in order."""

    value: Bare
    parameters: dict[str, Bare] = field(default_factory=dict)


def parse_list(text: str) -> list[Item]:
    """The items of a List. Raises Malformed for anything that the grammar does not allow, a trailing comma included."""
    rest = text.strip(" ")
    items: list[Item] = []
    while rest:
        item, rest = _item(rest)
        items.append(item)
        rest = rest.lstrip(" \t")
        if not rest:
            return items
        if rest[0] != ",":
            raise Malformed(f"a comma is missing before {rest!r}")
        rest = rest[1:].lstrip(" \t")
        if not rest:
            raise Malformed("a comma at the end")
    return items


def _item(text: str) -> tuple[Item, str]:
    value, rest = _bare(text)
    parameters: dict[str, Bare] = {}
    while rest.startswith(";"):
        match = _matched(_KEY, rest[1:].lstrip(" "))
        name, rest = match[0], match.string[match.end() :]
        parameters[name] = True
        if rest.startswith("="):
            parameters[name], rest = _bare(rest[1:])
    return Item(value, parameters), rest


def _bare(text: str) -> tuple[Bare, str]:
    if text.startswith('"'):
        match = _matched(_STRING, text)
        return re.sub(r"\\(.)", r"\1", match[1]), text[match.end() :]
    if text[:1] == "-" or text[:1].isdigit():
        match = _matched(_INTEGER, text)
        return int(match[0]), text[match.end() :]
    if text.startswith(":"):
        match = _matched(_BYTES, text)
        return base64.b64decode(match[1], validate=True), text[match.end() :]
    if text[:2] in ("?0", "?1"):
        return text[1] == "1", text[2:]
    match = _matched(_TOKEN, text)
    return Token(match[0]), text[match.end() :]


def _matched(pattern: re.Pattern[str], text: str) -> re.Match[str]:
    match = pattern.match(text)
    if match is None:
        raise Malformed(f"not expected: {text!r}")
    return match
