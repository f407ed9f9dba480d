"""The one place where a request is let in: deny by default, open by a literal list."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send

from podium.config.access import Access, is_loopback
from podium.core.errors import Unauthenticated

PROBES = frozenset({"/startupz", "/livez", "/readyz"})
"""Open to everyone; nothing else is."""


class Authenticate:
    """Lets a request in by ``scope["path"]`` and the access policy alone, never by a URL built from Host.

    There are no keys yet: a request without one is served where ``access.anonymous`` says so, and
    every other one gets 401, whatever its route and method.
    """

    def __init__(self, app: ASGIApp, access: Access, host: str) -> None:
        self.app = app
        self.anonymous_is_served = access.anonymous == "everywhere" or (
            access.anonymous == "loopback" and is_loopback(host)
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise Unauthenticated."""
        if scope["type"] == "http" and not self.anonymous_is_served and scope["path"] not in PROBES:
            raise Unauthenticated("A valid key is required. Send it as `Authorization: Bearer KEY`.")
        await self.app(scope, receive, send)
