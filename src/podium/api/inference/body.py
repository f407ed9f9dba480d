"""Bodies of ``/v2``: JSON, with binary tensors after it where a header says how long the JSON is."""

from __future__ import annotations

from typing import Any, TypeVar

from starlette.requests import Request

from podium.api.body import require_json, validate
from podium.api.context import backend_of
from podium.api.record import record_of
from podium.api.strict_json import decode_object
from podium.core.errors import InvalidRequest
from podium.protocols.wire import WireModel

JSON_LENGTH = "inference-header-content-length"
_OCTETS = "application/octet-stream"
M = TypeVar("M", bound=WireModel)


async def read_tensors(request: Request, kind: type[M]) -> tuple[M, bytes]:
    """The JSON part as ``kind``, and the bytes after it."""
    text = await _bytes(request)
    given = request.headers.get(JSON_LENGTH)
    length = len(text) if given is None else _length(given, len(text))
    return validate(request, kind, _object(request, text[:length])), text[length:]


async def read_members(request: Request, kind: type[M]) -> M:
    """The body as ``kind``, where the members of ``parameters`` count as members of the body. None is empty."""
    text = await _bytes(request)
    body = _object(request, text) if text else {}
    parameters = body.get("parameters")
    merged = {**parameters, **body} if isinstance(parameters, dict) else body
    return validate(request, kind, merged)


async def _bytes(request: Request) -> bytes:
    """Triton's clients declare no content type."""
    if request.headers.get("content-type", _OCTETS) != _OCTETS or "content-encoding" in request.headers:
        require_json(request)
    text = await request.body()
    record_of(request.scope).bytes_in = len(text)
    return text


def _object(request: Request, text: bytes) -> dict[str, Any]:
    return decode_object(text, max_depth=backend_of(request).server.limits.json_depth)


def _length(given: str, whole: int) -> int:
    length = int(given) if given.isascii() and given.isdigit() and len(given) <= 10 else whole + 1
    if length > whole:
        raise InvalidRequest(f"The header {JSON_LENGTH} must be the length of the JSON part.", param=JSON_LENGTH)
    return length
