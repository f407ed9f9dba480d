"""A remote server's failures as Podium's errors.

Only the ``message`` of an OpenAI-shaped error is repeated, when it is short and printable, and only
where the caller can act on it: another server's words may hold its internals.
"""

from __future__ import annotations

from typing import Any

import msgspec

from podium.core.errors import DeadlineExceeded, EngineError, InvalidRequest, Overloaded, PodiumError, Unavailable

MAX_MESSAGE_CHARACTERS = 300


class Broken(EngineError):
    """The answer is not a whole one: cut, malformed, or an error frame."""


def unreachable() -> PodiumError:
    """No connection could be made."""
    return Unavailable("The remote server cannot be reached; try again later.")


def silent(seconds: float) -> PodiumError:
    """Nothing came for the configured time."""
    return DeadlineExceeded(f"The remote server was silent for {seconds:g} s.")


def cut() -> PodiumError:
    """The stream ended or broke before ``[DONE]``."""
    return Broken("The remote server's stream was cut before its end.")


def of_status(status: int, body: bytes) -> PodiumError:
    """The error for an HTTP answer that is not 200.

    400, 413, 422 and their kind blame the request. 401, 403 and 404 blame Podium's configuration (key,
    model name), which the caller cannot mend. A redirect is never followed: the key would go along.
    """
    if status in {429, 503}:
        return Overloaded(f"The remote server is overloaded (status {status}); try again later.")
    if status in {408, 504}:
        return DeadlineExceeded(f"The remote server gave up waiting (status {status}).")
    if status in {401, 403, 404, 405, 407}:
        return EngineError(f"The remote server does not accept Podium's key, model name or address (status {status}).")
    if 400 <= status < 500:
        return InvalidRequest(f"The remote server refused the request (status {status}).{_words(body)}")
    return EngineError(f"The remote server failed (status {status}).")


def of_frame(error: Any) -> PodiumError:
    """The error for an error frame within a stream."""
    message = error.get("message") if isinstance(error, dict) else error
    return Broken(f"The remote server failed while it answered.{_safe(message)}")


def _words(body: bytes) -> str:
    try:
        decoded = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return ""
    error = decoded.get("error", decoded) if isinstance(decoded, dict) else None
    return _safe(error.get("message") if isinstance(error, dict) else error)


def _safe(message: Any) -> str:
    if isinstance(message, str) and len(message) < MAX_MESSAGE_CHARACTERS and message.isprintable() and message:
        return f" It says: {message}"
    return ""
