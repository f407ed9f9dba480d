"""Lines of the output file and of the error file, in OpenAI's shape."""

from __future__ import annotations

from typing import Protocol

import msgspec

from podium.batches.lines import Line
from podium.core.batch import Ending, Result
from podium.protocols.sse import one_line

_FIRST_REFUSAL = 300
_NOT_RUN: dict[Ending, tuple[str, str]] = {
    "expired": ("batch_expired", "This request could not be executed before the completion window expired."),
    "cancelled": ("batch_cancelled", "This request was not executed: the batch was cancelled before."),
}


class Answer(Protocol):
    """What a request was answered."""

    @property
    def status(self) -> int:
        """HTTP's status code."""

    @property
    def headers(self) -> dict[str, str]:
        """By lower-case name."""

    @property
    def body(self) -> bytes:
        """JSON."""


class _Response(msgspec.Struct, frozen=True):
    status_code: int
    request_id: str
    body: msgspec.Raw


class _Error(msgspec.Struct, frozen=True):
    code: str
    message: str


class _Line(msgspec.Struct, frozen=True):
    id: str
    custom_id: str
    response: _Response | None
    error: _Error | None


def line_id(batch_id: str, number: int) -> str:
    """The id of a result, the same whenever it is written; also that of the request, in the server's log."""
    return f"batch_req_{batch_id.removeprefix('batch_')}_{number}"


def answered(batch_id: str, line: Line, answer: Answer) -> Result:
    """The result of a line that was asked."""
    request_id = answer.headers.get("x-request-id", "")
    response = _Response(answer.status, request_id, msgspec.Raw(answer.body or b"null"))
    told = _Line(line_id(batch_id, line.number), line.custom_id, response, None)
    return Result(line.number, answer.status < _FIRST_REFUSAL, one_line(msgspec.json.encode(told)))


def not_run(batch_id: str, line: Line, ending: Ending) -> Result:
    """The result of a line that was never asked to the end."""
    told = _Line(line_id(batch_id, line.number), line.custom_id, None, _Error(*_NOT_RUN[ending]))
    return Result(line.number, ok=False, text=one_line(msgspec.json.encode(told)))
