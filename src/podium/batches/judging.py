"""Whether an answer is a line's result, or the line is to be asked again, and when."""

from __future__ import annotations

import msgspec

from podium.batches.results import Answer

_TOO_MANY = 429
_FIRST_FAILURE = 500
_LONGEST_SECONDS = 60.0
_LONGEST_DOUBLINGS = 7
_FIRST_SECONDS = 0.5
_WAITING = frozenset({"overloaded", "unavailable", "model_not_ready", "draining", "idempotency_in_progress"})
"""The request was not tried at all: no fault of its own, however often that happens."""


class _Error(msgspec.Struct):
    code: str | None = None


class _Told(msgspec.Struct):
    error: _Error


_told = msgspec.json.Decoder(_Told).decode


def pause_before_again(answer: Answer, tries: int, most_tries: int) -> tuple[float, bool] | None:
    """None: ``answer`` is the result. Else seconds until the line may be asked again, and whether it was tried.

    ``tries`` counts the answers so far for which the model tried and failed, this one included. A quota or a queue
    that is full, and a server that cannot serve yet, are waited for; what says that no retry helps is the result.
    """
    if answer.status != _TOO_MANY and answer.status < _FIRST_FAILURE:
        return None
    if answer.headers.get("x-should-retry") == "false":
        return None
    if answer.status == _TOO_MANY or _code(answer.body) in _WAITING:
        return _retry_after(answer), False
    if tries >= most_tries:
        return None
    return min(_LONGEST_SECONDS, _FIRST_SECONDS * 2 ** min(tries, _LONGEST_DOUBLINGS)), True


def _retry_after(answer: Answer) -> float:
    text = answer.headers.get("retry-after", "")
    return min(float(text), _LONGEST_SECONDS) if text.isascii() and text.isdigit() else 1.0


def _code(body: bytes) -> str | None:
    try:
        return _told(body).error.code
    except msgspec.MsgspecError:
        return None
