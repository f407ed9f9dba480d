"""Text from elsewhere on a terminal: what a terminal would obey is shown, and not sent."""

from __future__ import annotations

import re

_COLOUR = "\x1b\\[[0-9;]*m"
_OBEYED = "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]|\r(?!\n)"  # not: tab, line ends
_ANY = re.compile(_OBEYED)
_BUT_COLOURS = re.compile(f"({_COLOUR})|{_OBEYED}")


def visible(text: str) -> str:
    """``text`` with every control character written out as an escape, but tabs and line ends."""
    return _ANY.sub(_escaped, text)


def visible_but_colours(text: str) -> str:
    """The same for text that was coloured before: colours stay."""
    return _BUT_COLOURS.sub(lambda found: found[1] or _escaped(found), text)


def without_controls(text: str) -> str:
    """``text`` without those characters, so that it is as wide as a layout took it for."""
    return _ANY.sub("", text)


def _escaped(found: re.Match[str]) -> str:
    return found[0].encode("unicode_escape").decode()
