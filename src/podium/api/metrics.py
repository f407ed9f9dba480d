"""``GET /metrics``: the metrics page in the format that is asked for, made elsewhere."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.openapi import operation

router = direct_router(tags=["Server"])


@router.get("/metrics", **operation("Metrics in Prometheus text format", answer=str, media_type="text/plain"))
async def metrics(request: Request) -> Response:
    """All metrics of this process; whatever the query, the same page. ``accept`` chooses the format."""
    body, content_type = backend_of(request).metrics(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type, "vary": "accept"})
