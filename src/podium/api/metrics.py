"""``GET /metrics``: Prometheus text, made elsewhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.openapi import operation

router = direct_router(tags=["Server"])
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@router.get("/metrics", **operation("Metrics in Prometheus text format", answer=str, media_type="text/plain"))
async def metrics(request: Request) -> Response:
    """All metrics of this process; whatever the query, the same page."""
    return Response(backend_of(request).metrics(), headers={"content-type": CONTENT_TYPE})
