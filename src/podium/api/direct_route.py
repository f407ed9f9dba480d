"""Routes whose endpoints read their request themselves."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from fastapi import APIRouter
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

Endpoint = Callable[..., Awaitable[Response]]


class DirectRoute(APIRoute):
    """A route that FastAPI describes and we run: the endpoint gets the request and the path's parameters by name.

    FastAPI's own handling (dependencies, body, response model, an exit stack for each) would find nothing to do,
    at a sixth of the cost of a kept answer. What the endpoint raises passes on to the error funnel.
    """

    def __init__(self, path: str, endpoint: Endpoint, **described: Any) -> None:
        super().__init__(path, endpoint, **described)
        self.app = _run(endpoint)


def direct_router(*, tags: list[str] | None = None, in_schema: bool = True) -> APIRouter:
    """A router of direct routes."""
    return APIRouter(tags=list(tags or ()), include_in_schema=in_schema, route_class=DirectRoute)


def _run(endpoint: Endpoint) -> ASGIApp:
    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        response = await endpoint(Request(scope, receive, send), **scope["path_params"])
        await response(scope, receive, send)

    return run
