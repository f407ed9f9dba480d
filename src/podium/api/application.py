"""An application that the framework describes, and whose requests pass our own middleware."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi import FastAPI
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send


class Application(FastAPI):
    """FastAPI as what describes the routes; requests go to the middleware that ``within`` put around them."""

    handle: ASGIApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection."""
        scope["app"] = self
        await self.handle(scope, receive, send)


def within(app: Application, middleware: Sequence[Middleware]) -> Application:
    """``app`` with ``middleware`` around its router, the first outermost, and nothing else.

    In place of the framework's own stack: its handlers of exceptions and its exit stack have nothing to do where
    an error funnel stands and every route is direct.
    """
    stack: ASGIApp = app.router
    for part in reversed(middleware):
        stack = part.cls(stack, *part.args, **part.kwargs)
    app.handle = stack
    return app
