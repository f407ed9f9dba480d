"""``GET /requests/recent``: the slowest and the newest requests, for those who may read metrics."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.openapi import operation
from podium.protocols.recent_requests import RecentRequestsAnswer

router = direct_router(tags=["Server"])


@router.get("/requests/recent", **operation("The slowest and the newest requests", answer=RecentRequestsAnswer))
async def recent(request: Request) -> Response:
    """Requests of this process that ended lately: times, tokens, outcomes and ids; no prompts, answers or callers."""
    return JsonAnswer(backend_of(request).recent.answer(), headers=PRIVATE)
