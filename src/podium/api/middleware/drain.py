"""Nothing new while the server finishes what it has."""

from __future__ import annotations

from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from podium.api.roles import PROBES
from podium.core.errors import Draining

ALWAYS_SERVED = PROBES | {"/metrics", "/health", "/ping", "/v2/health/live", "/v2/health/ready"}


class Drain:
    """Refuses requests while ``draining()`` is true, except for probes, metrics and health."""

    def __init__(self, app: ASGIApp, draining: Callable[[], bool]) -> None:
        self.app = app
        self.draining = draining

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise Draining."""
        if scope["type"] == "http" and self.draining() and scope["path"] not in ALWAYS_SERVED:
            raise Draining(
                "This replica is shutting down and takes nothing new. Send the request to another one.",
                retry_after_seconds=1.0,
            )
        await self.app(scope, receive, send)
