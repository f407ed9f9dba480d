"""Which route template a request falls under: the label of its metrics and its log line."""

from __future__ import annotations

from collections.abc import Iterable

from starlette.routing import BaseRoute, Route
from starlette.types import Scope

UNMATCHED = "unmatched"


class RouteLabels:
    """Maps a request to its route's template, or to ``unmatched``. Never returns text of the caller."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        found = [route for route in routes if isinstance(route, Route)]
        self._exact = {route.path: route.path for route in found if "{" not in route.path}
        # All of them: where the router's own expression is looser than equality (it takes a line end after
        # the path), the label follows the router, because rights hang on it.
        self._patterns = [(route.path_regex, route.path) for route in found]

    def __call__(self, scope: Scope) -> str:
        """The template of ``scope``'s path."""
        path = scope["path"]
        exact = self._exact.get(path)
        if exact is not None:
            return exact
        return next((template for pattern, template in self._patterns if pattern.match(path)), UNMATCHED)
