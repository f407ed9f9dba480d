"""What a server tells the gateway about an answer that it gave, so that a canary is judged by what clients got.

A status says nothing of a stream that ended in an error after its first byte. The report is a header of a whole answer
and a trailer of a stream; both are sent only to somebody who asked with ``TE: trailers``, as Podium's gateway does.
"""

from __future__ import annotations

import re
from typing import Literal, Self, get_args

import msgspec

FIELD = "x-podium-answer"
End = Literal["whole", "empty", "broken"]
_ENDS: tuple[str, ...] = get_args(End)
_FORM = re.compile(r"(?P<end>[a-z]+)(?:; tokens=(?P<tokens>\d{1,9}); seconds=(?P<seconds>\d{1,6}(?:\.\d{1,6})?))?")


class AnswerReport(msgspec.Struct, frozen=True):
    """``broken``: it ended in an error after its first byte; ``empty``: it ended well and held no text.

    ``tokens`` were given, and ``seconds`` passed from the first of them to the end.
    """

    end: End
    tokens: int = 0
    seconds: float = 0.0

    @property
    def text(self) -> str:
        """The field's value."""
        return f"{self.end}; tokens={self.tokens}; seconds={self.seconds:.6f}"

    @property
    def seconds_per_token(self) -> float | None:
        """Time between two tokens, on average; None for fewer than two."""
        return self.seconds / (self.tokens - 1) if self.tokens > 1 else None

    @classmethod
    def parse(cls, text: str | None) -> Self | None:
        """The report that ``text`` is; None for anything else, which somebody else's server may have sent."""
        found = _FORM.fullmatch(text or "")
        if found is None or found["end"] not in _ENDS:
            return None
        return msgspec.convert(
            {"end": found["end"], "tokens": int(found["tokens"] or 0), "seconds": float(found["seconds"] or 0)}, cls
        )
