"""An answer to a copied request: whether it is a good one, and how like another one it is."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import SequenceMatcher
from typing import Any

import msgspec

from podium.protocols.answer_report import AnswerReport

_MOST_WORDS = 400  # comparing takes their product
_PLACES = (("message", "content"), ("text",), ("response",), ("generated_text",))
_LISTS = ("choices", "content", "results")


class ShadowAnswer(msgspec.Struct, frozen=True):
    """``status`` 0: it broke off. ``report``: what the server said of it."""

    status: int
    body: bytes = b""
    report: str | None = None

    @property
    def text(self) -> str:
        """All text of it, whatever the dialect."""
        try:
            return "\n".join(_texts(msgspec.json.decode(self.body)))
        except (msgspec.DecodeError, UnicodeDecodeError):
            return ""

    def is_good(self, *, wants_json: bool) -> bool:
        """Whether it is whole, says something, and is JSON where the request wants that."""
        told = AnswerReport.parse(self.report)
        if self.status // 100 != 2 or (told is not None and told.end != "whole"):
            return False
        return not wants_json or _is_json(self.text)


def likeness(first: str, second: str) -> float:
    """How much of two texts is the same, by words in their order: 0 nothing, 1 all."""
    words, others = first.split()[:_MOST_WORDS], second.split()[:_MOST_WORDS]
    return SequenceMatcher(None, words, others, autojunk=False).ratio()


def _texts(answer: Any) -> Iterator[str]:
    if not isinstance(answer, dict):
        return
    for place in _PLACES:
        found: Any = answer
        for name in place:
            found = found.get(name) if isinstance(found, dict) else None
        if isinstance(found, str):
            yield found
    for name in _LISTS:
        parts = answer.get(name)
        for part in parts if isinstance(parts, list) else ():
            yield from _texts(part)


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True
