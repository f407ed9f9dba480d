"""``GET /version``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer
from podium.api.openapi import operation
from podium.protocols.native import VersionAnswer

router = direct_router(tags=["Server"])


@router.get("/version", **operation("Version of the server", answer=VersionAnswer))
async def version(request: Request) -> Response:
    """The version of Podium that answers."""
    return JsonAnswer(VersionAnswer(backend_of(request).version))
