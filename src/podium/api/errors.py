"""Errors to HTTP: what each is in each dialect, and the bytes of an error.

A code that is missing in a table is a failing test, not a 500 in production. Bodies hold the error's
own message, which by contract never repeats input and never tells of the inside.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import msgspec

from podium.api.refusals import MethodNotAllowed
from podium.core.errors import PodiumError, RateLimited
from podium.core.outcome import Outcome
from podium.protocols import anthropic, hugging_face, inference, native, ollama, openai_answers

INTERNAL_MESSAGE = "The server failed on this request. Its log tells why, under the request id of this answer."


Dialect = Literal["native", "openai", "anthropic", "ollama", "inference", "hugging_face"]


class OpenAIRow(NamedTuple):
    """Status and ``type`` of an error; ``code`` where it differs from ours."""

    status: int
    type: str
    code: str | None = None


_INVALID = "invalid_request_error"
_SERVER = "server_error"

OPENAI: dict[str, OpenAIRow] = {
    "internal_error": OpenAIRow(500, _SERVER),
    "invalid_request": OpenAIRow(400, _INVALID),
    "context_length_exceeded": OpenAIRow(400, _INVALID),
    "unsupported_parameter": OpenAIRow(400, _INVALID),
    "unsupported_task": OpenAIRow(400, _INVALID),
    "payload_too_large": OpenAIRow(413, _INVALID),
    "bad_host": OpenAIRow(400, _INVALID),
    "headers_too_large": OpenAIRow(431, _INVALID),
    "body_timeout": OpenAIRow(408, _INVALID),
    "malformed_http": OpenAIRow(400, _INVALID),
    "unsupported_media_type": OpenAIRow(415, _INVALID),
    "method_not_allowed": OpenAIRow(405, _INVALID),
    "route_not_found": OpenAIRow(404, _INVALID),
    "invalid_api_key": OpenAIRow(401, "authentication_error"),
    "permission_denied": OpenAIRow(403, "permission_error"),
    "not_found": OpenAIRow(404, _INVALID),
    "model_not_found": OpenAIRow(404, _INVALID),
    "conflict": OpenAIRow(409, _INVALID),
    "idempotency_mismatch": OpenAIRow(422, _INVALID),
    "idempotency_in_progress": OpenAIRow(409, _INVALID),
    "gateway_rejected": OpenAIRow(409, _INVALID),
    "rate_limit_exceeded": OpenAIRow(429, "rate_limit_error"),
    "insufficient_quota": OpenAIRow(429, "rate_limit_error"),
    "unavailable": OpenAIRow(503, _SERVER),
    "overloaded": OpenAIRow(503, _SERVER),
    "model_not_ready": OpenAIRow(503, _SERVER),
    "draining": OpenAIRow(503, _SERVER),
    "gateway_unavailable": OpenAIRow(503, _SERVER),
    "deadline_exceeded": OpenAIRow(504, _SERVER),
    "client_disconnected": OpenAIRow(499, _INVALID),
    "stalled_reader": OpenAIRow(499, _INVALID),
    "engine_error": OpenAIRow(500, _SERVER),
    "engine_crashed": OpenAIRow(503, _SERVER),
    "engine_stalled": OpenAIRow(503, _SERVER),
    "model_load_failed": OpenAIRow(500, _SERVER),
    "checkpoint_invalid": OpenAIRow(500, _SERVER),
    "checkpoint_unsafe": OpenAIRow(500, _SERVER),
    "unsupported_architecture": OpenAIRow(500, _SERVER),
    "missing_extra": OpenAIRow(501, _SERVER),
    "memory_budget_exceeded": OpenAIRow(507, _SERVER),
    "configuration_error": OpenAIRow(500, _SERVER),
    "not_configured": OpenAIRow(501, _SERVER),
}

NATIVE: dict[str, int] = {
    "internal_error": 500,
    "invalid_request": 400,
    "context_length_exceeded": 400,
    "unsupported_parameter": 400,
    "unsupported_task": 400,
    "payload_too_large": 413,
    "bad_host": 400,
    "headers_too_large": 431,
    "body_timeout": 408,
    "malformed_http": 400,
    "unsupported_media_type": 415,
    "method_not_allowed": 405,
    "route_not_found": 404,
    "invalid_api_key": 401,
    "permission_denied": 403,
    "not_found": 404,
    "model_not_found": 404,
    "conflict": 409,
    "idempotency_mismatch": 422,
    "idempotency_in_progress": 409,
    "gateway_rejected": 409,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "unavailable": 503,
    "overloaded": 503,
    "model_not_ready": 503,
    "draining": 503,
    "gateway_unavailable": 503,
    "deadline_exceeded": 504,
    "client_disconnected": 499,
    "stalled_reader": 499,
    "engine_error": 500,
    "engine_crashed": 503,
    "engine_stalled": 503,
    "model_load_failed": 500,
    "checkpoint_invalid": 500,
    "checkpoint_unsafe": 500,
    "unsupported_architecture": 500,
    "missing_extra": 501,
    "memory_budget_exceeded": 507,
    "configuration_error": 500,
    "not_configured": 501,
}

# Anthropic has one type for each status, and a status of its own for a server that has too much to do.
_ANTHROPIC_STATUS = {"overloaded": 529}
_ANTHROPIC_TYPES = {
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
}
_FIRST_SERVER_STATUS = 500
_BAD_REQUEST = 400
_UNPROCESSABLE = 422

HfErrorType = Literal["validation", "generation", "overloaded"]
# The codes for which Hugging Face's clients have an exception of their own; others are told by their status.
_HF_TYPES: dict[str, HfErrorType] = {
    "invalid_request": "validation",
    "context_length_exceeded": "validation",
    "unsupported_parameter": "validation",
    "unsupported_task": "validation",
    "payload_too_large": "validation",
    "rate_limit_exceeded": "overloaded",
    "insufficient_quota": "overloaded",
    "overloaded": "overloaded",
    "internal_error": "generation",
    "engine_error": "generation",
    "engine_crashed": "generation",
    "engine_stalled": "generation",
    "deadline_exceeded": "generation",
}

_OUTCOMES: dict[str, Outcome] = {
    "invalid_api_key": "unauthorized",
    "permission_denied": "unauthorized",
    "rate_limit_exceeded": "rate_limited",
    "insufficient_quota": "rate_limited",
    "overloaded": "overloaded",
    "unavailable": "unavailable",
    "model_not_ready": "unavailable",
    "draining": "unavailable",
    "gateway_unavailable": "unavailable",
    "deadline_exceeded": "deadline",
    "client_disconnected": "cancelled",
    "stalled_reader": "cancelled",
}


_SHAPED_AS_OPENAI = frozenset({"/v1", "/invocations", "/score", "/predict"})


def dialect_of(path: str) -> Dialect:
    """Whose shape errors on ``path`` have."""
    if path == "/v1/messages" or path.startswith("/v1/messages/"):
        return "anthropic"
    if path.startswith("/api/"):
        return "ollama"
    if path.startswith("/v1/models/") and path.endswith(":predict"):
        return "inference"
    if path.startswith("/hf/"):
        return "hugging_face"
    if path == "/v2" or (path.startswith("/v2/") and path != "/v2/rerank"):
        return "inference"
    return "openai" if path.startswith("/v1/") or path in _SHAPED_AS_OPENAI else "native"


def status_of(error: PodiumError, dialect: Dialect = "native") -> int:
    """HTTP status of ``error``."""
    status = NATIVE[error.code]
    match dialect:
        case "anthropic":
            return _ANTHROPIC_STATUS.get(error.code, status)
        case "hugging_face":
            return _UNPROCESSABLE if _HF_TYPES.get(error.code) == "validation" and status == _BAD_REQUEST else status
        case _:
            return status


def outcome_of(error: PodiumError) -> Outcome:
    """Outcome of a request that ended with ``error`` before its first byte."""
    if error.code in _OUTCOMES:
        return _OUTCOMES[error.code]
    return "client_error" if status_of(error) < _FIRST_SERVER_STATUS else "server_error"


def body_of(error: PodiumError, dialect: Dialect, request_id: str) -> bytes:
    """The JSON body of ``error`` in a dialect; also the payload of a stream's error event."""
    match dialect:
        case "openai":
            return msgspec.json.encode(openai_answer(error))
        case "anthropic":
            return msgspec.json.encode(anthropic_answer(error, request_id))
        case "ollama":
            return msgspec.json.encode(ollama.ErrorAnswer(error.message))
        case "inference":
            return msgspec.json.encode(inference_answer(error))
        case "hugging_face":
            return msgspec.json.encode(hugging_face_answer(error))
        case "native":
            return msgspec.json.encode(native_answer(error, request_id))


def openai_answer(error: PodiumError) -> openai_answers.ErrorAnswer:
    """``error`` in OpenAI's shape."""
    row = OPENAI[error.code]
    body = openai_answers.ErrorBody(error.message, row.type, error.param, row.code or error.code)
    return openai_answers.ErrorAnswer(body)


def anthropic_answer(error: PodiumError, request_id: str) -> anthropic.ErrorAnswer:
    """``error`` in Anthropic's shape, which has no place for its code and member: the message names them."""
    status = status_of(error, "anthropic")
    default = "invalid_request_error" if status < _FIRST_SERVER_STATUS else "api_error"
    body = anthropic.ErrorBody(_ANTHROPIC_TYPES.get(status, default), error.message)
    return anthropic.ErrorAnswer(body, request_id)


def inference_answer(error: PodiumError) -> inference.ErrorAnswer:
    """``error`` in the Open Inference Protocol's shape; its clients look for the words on an unknown model."""
    unknown = "Request for unknown model. " if error.code == "model_not_found" else ""
    return inference.ErrorAnswer(unknown + error.message)


def hugging_face_answer(error: PodiumError) -> hugging_face.HfError:
    """``error`` in the shape of text-generation-inference."""
    return hugging_face.HfError(error.message, _HF_TYPES.get(error.code))


def native_answer(error: PodiumError, request_id: str) -> native.ErrorAnswer:
    """``error`` in the native shape."""
    return native.ErrorAnswer(native.ErrorBody(error.code, error.message, error.param, request_id, error.retryable))


def headers_of(error: PodiumError) -> list[tuple[bytes, bytes]]:
    """Headers that go with ``error``: when to retry, whether to retry, what is allowed."""
    headers: list[tuple[bytes, bytes]] = []
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % max(1, math.ceil(error.retry_after_seconds))))
        if isinstance(error, RateLimited) and error.retryable:
            headers.append((b"retry-after-ms", b"%d" % max(1, math.ceil(error.retry_after_seconds * 1000))))
    if not error.retryable:
        headers.append((b"x-should-retry", b"false"))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", error.allow.encode("ascii")))
    if error.code == "invalid_api_key":
        headers.append((b"www-authenticate", b"Bearer"))
    return headers


def internal_error() -> PodiumError:
    """What a caller is told about an unexpected exception: nothing but where to look."""
    return PodiumError(INTERNAL_MESSAGE)
