"""Routes under paths that a hosting platform chose."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class PathAlias:
    """A request for one of the ``aliases`` is one for its route, to everything that comes after."""

    def __init__(self, app: ASGIApp, aliases: Mapping[str, str]) -> None:
        self.app = app
        self._aliases = dict(aliases)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, under the route's own path."""
        route = self._aliases.get(scope.get("path", ""))
        if route is not None:
            scope = {**scope, "path": route, "raw_path": route.encode("ascii")}
        await self.app(scope, receive, send)
