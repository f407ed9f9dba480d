"""``/control/rollouts``: begin a rollout, look at it, and decide what it cannot decide itself."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read, read_optional
from podium.api.control.control import control_of
from podium.api.control.openapi import told
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer, ignored_headers
from podium.api.principal import principal_of
from podium.core.errors import InvalidRequest
from podium.core.identity import ANONYMOUS_TENANT
from podium.protocols.rollouts import (
    DecisionRequest,
    EventsAnswer,
    PlanAnswer,
    RolloutAnswer,
    RolloutRequest,
    RolloutsAnswer,
)

router = direct_router(tags=["Rollouts"])
LOCAL_ACTOR = "local"
"""Who decided, where nobody has a key."""
_CREATED = 201
_WISH = {"environment": "green", "steps": [5, 50, 100]}
_DECISION = {"reason": "no traffic at night is normal"}
_MOST_DIGITS = 12


@router.post(
    "/control/rollouts",
    **told("Start a rollout", answer=RolloutAnswer, request=RolloutRequest, example=_WISH, status=_CREATED),
)
async def start(request: Request) -> Response:
    """Begins a rollout. Refused before anything moves: 400 for what can never be, 409 for what cannot be now."""
    wish = await _read(request)
    answer = await control_of(request).rollouts.start(wish, actor=actor_of(request))
    return JsonAnswer(answer, status_code=_CREATED, headers={**PRIVATE, **ignored_headers(request)})


@router.post(
    "/control/rollouts/plan",
    **told("Plan a rollout", answer=PlanAnswer, request=RolloutRequest, example=_WISH),
)
async def plan(request: Request) -> Response:
    """What a start would do at the present traffic, and why it would be refused; nothing happens."""
    wish = await _read(request)
    answer = await control_of(request).rollouts.plan(wish)
    return JsonAnswer(answer, headers={**PRIVATE, **ignored_headers(request)})


@router.get("/control/rollouts", **told("List rollouts", answer=RolloutsAnswer))
async def history(request: Request) -> Response:
    """All rollouts, newest first."""
    return JsonAnswer(await control_of(request).rollouts.overview(), headers=PRIVATE)


@router.get("/control/rollouts/current", **told("Show the rollout", answer=RolloutAnswer))
async def current(request: Request) -> Response:
    """The rollout that runs, or the last one; 404 when there never was one."""
    return JsonAnswer(await control_of(request).rollouts.current(), headers=PRIVATE)


@router.get(
    "/control/rollouts/events",
    **told("Read the log", answer=EventsAnswer, query={"after": "Number of an event; later ones are given."}),
)
async def events(request: Request) -> Response:
    """The log after event `after` (0 by default), oldest first, at most 500 events."""
    given = request.query_params.get("after", "0")
    if not (given.isascii() and given.isdigit() and len(given) <= _MOST_DIGITS):
        raise InvalidRequest("`after` must be the number of an event, 0 or more.", param="after")
    return JsonAnswer(await control_of(request).rollouts.events(int(given)), headers=PRIVATE)


@router.post(
    "/control/rollouts/current/approve",
    **told("Let a held rollout go on", answer=RolloutAnswer, request=DecisionRequest, example=_DECISION),
)
async def approve(request: Request) -> Response:
    """Lets a held rollout go on, as if what it waited for had happened."""
    decision = await _decision(request)
    return _decided(request, await control_of(request).rollouts.approve(decision, actor=actor_of(request)))


@router.post(
    "/control/rollouts/current/abort",
    **told("Take the canary's traffic away", answer=RolloutAnswer, request=DecisionRequest, example=_DECISION),
)
async def abort(request: Request) -> Response:
    """Takes the new version's traffic away. The revision is not started again under the same name."""
    decision = await _decision(request)
    return _decided(request, await control_of(request).rollouts.abort(decision, actor=actor_of(request)))


@router.post(
    "/control/rollouts/current/promote",
    **told("Promote without proof", answer=RolloutAnswer, request=DecisionRequest, example=_DECISION),
)
async def promote(request: Request) -> Response:
    """Gives the new version all traffic without waiting for proof."""
    decision = await _decision(request)
    return _decided(request, await control_of(request).rollouts.promote(decision, actor=actor_of(request)))


def actor_of(request: Request) -> str:
    """Who did it, for the log: the key's id."""
    key = principal_of(request.scope).key_id
    return LOCAL_ACTOR if key == ANONYMOUS_TENANT else key


def _decided(request: Request, answer: object) -> Response:
    return JsonAnswer(answer, headers={**PRIVATE, **ignored_headers(request)})


async def _read(request: Request) -> RolloutRequest:
    return await read(request, RolloutRequest, max_depth=control_of(request).limits.json_depth)


async def _decision(request: Request) -> DecisionRequest:
    return await read_optional(request, DecisionRequest, max_depth=control_of(request).limits.json_depth)
