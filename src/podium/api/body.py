"""From the bytes of a request to a checked request model."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import ValidationError
from starlette.requests import Request
from starlette.types import Receive

from podium.api.record import record_of
from podium.api.refusals import UnsupportedMediaType
from podium.api.strict_json import decode_object
from podium.core.errors import InvalidRequest
from podium.protocols.wire import WireModel, ignored_members

M = TypeVar("M", bound=WireModel)
IGNORED_KEY = "podium.ignored"
_DECODED_KEY = "podium.decoded"
_UNION_TAGS = frozenset({"str", "int", "bool", "float", "none"})
_UTF8 = frozenset({"", "utf-8", "utf8"})


async def read(request: Request, kind: type[M], *, max_depth: int) -> M:
    """The request's body as ``kind``.

    Raises UnsupportedMediaType, InvalidRequest (with the member at fault), and what the limits on
    arriving bytes raise. Unknown members are noted for the ``x-podium-ignored`` header.
    """
    return validate(request, kind, await read_object(request, max_depth=max_depth))


async def read_object(request: Request, *, max_depth: int) -> dict[str, Any]:
    """The request's body as it is, decoded once however often it is asked for. Raises as ``read`` does."""
    decoded: dict[str, Any] | None = request.scope.get(_DECODED_KEY)
    if decoded is None:
        require_json(request)
        text = await request.body()
        record_of(request.scope).bytes_in = len(text)
        decoded = request.scope[_DECODED_KEY] = decode_object(text, max_depth=max_depth)
    return decoded


def with_body(request: Request, body: dict[str, Any], receive: Receive | None = None) -> Request:
    """A request like ``request`` whose decoded body is ``body``, for another route's endpoint.

    ``receive`` is who tells of a client that hangs up; None is the one of ``request``, whose body has been read.
    """
    return Request({**request.scope, _DECODED_KEY: body}, receive or request.receive)


async def read_optional(request: Request, kind: type[M], *, max_depth: int) -> M:
    """Like ``read``; an absent body is an empty object."""
    if not await request.body():
        return validate(request, kind, {})
    return await read(request, kind, max_depth=max_depth)


def validate(request: Request, kind: type[M], body: dict[str, Any]) -> M:
    """``body`` as ``kind``; the first fault becomes an InvalidRequest."""
    try:
        model = kind.model_validate(body)
    except ValidationError as error:
        raise _first_fault(error) from None
    request.scope[IGNORED_KEY] = ignored_members(kind, body)
    return model


def require_json(request: Request) -> None:
    """Refuses a body that is not declared as plain JSON in UTF-8."""
    declared = request.headers.getlist("content-type")
    kind, _, parameters = (declared[0] if len(declared) == 1 else "").partition(";")
    charset = parameters.strip().lower().removeprefix("charset=").strip('"')
    if kind.strip().lower() != "application/json" or charset not in _UTF8:
        raise UnsupportedMediaType("The body must be declared as `content-type: application/json`, in UTF-8.")
    if request.headers.get("content-encoding", "identity").lower() != "identity":
        raise UnsupportedMediaType("Compressed bodies are not accepted. Send the body without content-encoding.")


def _first_fault(error: ValidationError) -> InvalidRequest:
    fault = error.errors(include_url=False, include_context=False, include_input=False)[0]
    path = ".".join(_path(fault["loc"]))
    if fault["type"] == "missing":
        return InvalidRequest(f"`{path}` is required.", param=path)
    reason = fault["msg"].removeprefix("Value error, ")
    reason = reason.replace("Input should", "must").replace("must be a valid", "must be a")
    return InvalidRequest(f"`{path}` {reason}.", param=path)


def _path(location: tuple[int | str, ...]) -> list[str]:
    """The members' names and positions, without the tags that unions add."""
    return [
        str(part) for part in location if isinstance(part, int) or (part.isidentifier() and part not in _UNION_TAGS)
    ]
