"""Probes of the controller. Nothing here waits for anything."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.control.control import control_of
from podium.api.control.openapi import told
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer
from podium.protocols.control import ReadyAnswer

router = direct_router(tags=["Probes"])


@router.get("/livez", **told("Whether it answers", answer=ReadyAnswer))
async def livez(_request: Request) -> Response:
    """200 while the controller answers at all."""
    return JsonAnswer(ReadyAnswer(status="live"))


@router.get("/readyz", **told("Whether it is ready", answer=ReadyAnswer))
async def readyz(request: Request) -> Response:
    """200 while callers can be told apart and a gateway has confirmed what it was told."""
    control = control_of(request)
    good = control.gatekeeper.ready and control.traffic.confirmed
    return JsonAnswer(ReadyAnswer(status="ready" if good else "not ready"), status_code=200 if good else 503)
