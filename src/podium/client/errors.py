"""What a call may raise.

::

    ClientError
    ├── Refused        the server answered with an error
    ├── Unreachable    no answer: no connection, or it broke before the answer came
    └── AnswerBroken   an answer began and is not whole, or is not what it says
"""

from __future__ import annotations

import httpx
import msgspec


class ClientError(Exception):
    """Root of the tree."""


class Unreachable(ClientError):
    """Nothing was answered, after all retries."""


class AnswerBroken(ClientError):
    """An answer ended too early, or does not fit the check sum that came with it. Nothing of it is the whole text."""


class Refused(ClientError):
    """The server's own error. ``code`` is stable, ``param`` names the member at fault, ``status`` is HTTP's.

    ``retryable``: the same request may succeed later; ``retry_after_seconds`` says when, where the server knows.
    """

    def __init__(self, body: ErrorMembers, *, status: int, retry_after_seconds: float | None = None) -> None:
        super().__init__(body.message)
        self.code = body.code
        self.param = body.param
        self.request_id = body.request_id
        self.retryable = body.retryable
        self.status = status
        self.retry_after_seconds = retry_after_seconds


class ErrorMembers(msgspec.Struct, frozen=True):
    """The members of ``error`` on native routes."""

    code: str
    message: str
    param: str | None = None
    request_id: str = ""
    retryable: bool = False


class _ErrorBody(msgspec.Struct, frozen=True):
    error: ErrorMembers


def refusal_of(response: httpx.Response, retry_after_seconds: float | None) -> Refused:
    """The error in an answer that was read; one of a gateway, which is plain text, gets a code of its own."""
    request_id = response.headers.get("x-request-id", "")
    try:
        members = msgspec.json.decode(response.content, type=_ErrorBody).error
    except msgspec.DecodeError:
        said = response.text.strip()[:200] or response.reason_phrase
        members = ErrorMembers("http_error", f"The server answered {response.status_code}: {said}", None, request_id)
    return Refused(members, status=response.status_code, retry_after_seconds=retry_after_seconds)


def refusal_in_stream(data: bytes) -> Refused:
    """The error in a stream's ``error`` event; the status had been 200 by then."""
    return Refused(msgspec.json.decode(data, type=_ErrorBody).error, status=200)
