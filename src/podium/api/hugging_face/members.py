"""Bodies whose ``parameters`` hold members of their own."""

from __future__ import annotations

from typing import Any, TypeVar

from starlette.requests import Request

from podium.api.body import IGNORED_KEY, read, read_object
from podium.api.context import backend_of
from podium.protocols.wire import WireModel, ignored_members

M = TypeVar("M", bound=WireModel)


async def read_members(request: Request, kind: type[M]) -> M:
    """The body as ``kind``; unknown members of its ``parameters`` are noted like its own. Raises as ``read`` does."""
    depth = backend_of(request).server.limits.json_depth
    body = await read(request, kind, max_depth=depth)
    parameters: Any = getattr(body, "parameters", None)
    given = (await read_object(request, max_depth=depth)).get("parameters")
    if isinstance(parameters, WireModel) and given:
        unknown = ignored_members(type(parameters), given)
        request.scope[IGNORED_KEY] = [*request.scope[IGNORED_KEY], *(f"parameters.{name}" for name in unknown)]
    return body
