"""The attempts of one call: what a failed one means, and whether another follows."""

from __future__ import annotations

from typing import NoReturn, TypeVar

import httpx
import msgspec

from podium.client.errors import AnswerBroken, Unreachable, refusal_of
from podium.client.retries import Retries, retry_after_seconds

T = TypeVar("T")


class Attempts:
    """Counts the attempts of one call."""

    def __init__(self, retries: Retries) -> None:
        self._retries = retries
        self._failed = 0

    def after_refusal(self, response: httpx.Response) -> float:
        """Seconds to wait after an error whose body was read. Raises ``Refused`` when it was the last attempt."""
        return self._next(response, refusal_of(response, retry_after_seconds(response)))

    def after_silence(self, error: httpx.TransportError, host: str) -> float:
        """Seconds to wait when there was no answer. Raises ``Unreachable`` when it was the last attempt."""
        failure = Unreachable(f"No answer from {host}: {error or type(error).__name__}")
        failure.__cause__ = error
        return self._next(None, failure)

    def _next(self, response: httpx.Response | None, failure: Exception) -> float:
        wait = self._retries.wait_seconds(self._failed, response)
        if wait is None:
            raise failure
        self._failed += 1
        return wait


def decoded(response: httpx.Response, kind: type[T]) -> T:
    """The answer as ``kind``. Raises ``AnswerBroken``."""
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.DecodeError as error:
        path = response.request.url.path
        raise AnswerBroken(f"The answer of {path} is not in Podium's format: is this one of its servers?") from error


def broken(error: httpx.TransportError) -> NoReturn:
    """Raises ``AnswerBroken`` for a connection that ended within a text."""
    raise AnswerBroken("The connection broke before the text ended.") from error
