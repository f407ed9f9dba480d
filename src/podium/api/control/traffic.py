"""``GET /control/traffic`` and ``PUT /control/traffic``: the split between environments."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.control.control import control_of
from podium.api.control.openapi import told
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer, ignored_headers
from podium.protocols.control import TrafficAnswer, TrafficChange

router = direct_router(tags=["Traffic"])


@router.get("/control/traffic", **told("Show the split", answer=TrafficAnswer))
async def show(request: Request) -> Response:
    """The split, the environments with their servers, and what became of the attempts."""
    return JsonAnswer(await control_of(request).traffic.show(), headers=PRIVATE)


@router.put(
    "/control/traffic",
    **told("Move traffic", answer=TrafficAnswer, request=TrafficChange, example={"weights": {"blue": 100}}),
)
async def change(request: Request) -> Response:
    """Answers when the gateway has confirmed the new split; a refusal has the gateway's own words."""
    control = control_of(request)
    wanted = await read(request, TrafficChange, max_depth=control.limits.json_depth)
    await control.traffic.set_weights(wanted.weights)
    return JsonAnswer(await control.traffic.show(), headers={**PRIVATE, **ignored_headers(request)})
