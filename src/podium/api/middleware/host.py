"""Exactly one well-formed Host, and one that this server answers to."""

from __future__ import annotations

import re
from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from podium.api.refusals import BadHost

# RFC 3986 host (name, IPv4, or bracketed IPv6) and an optional port; no path, query, user or blank.
_HOST = re.compile(rb"(?P<name>[A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?\Z")


class HostCheck:
    """Refuses a missing, repeated or malformed Host, and one outside ``allowed`` (if that is not empty).

    Nothing behind this check builds a URL from Host; the check is there because proxies and caches
    in front might.
    """

    def __init__(self, app: ASGIApp, allowed: Sequence[str]) -> None:
        self.app = app
        self.allowed = frozenset(name.lower() for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise BadHost."""
        if scope["type"] == "http":
            self._check([value for name, value in scope["headers"] if name == b"host"])
        await self.app(scope, receive, send)

    def _check(self, given: list[bytes]) -> None:
        match = _HOST.match(given[0]) if len(given) == 1 else None
        if match is None:
            raise BadHost("Send exactly one Host header, holding a name and an optional port.")
        if self.allowed and match["name"].decode("ascii").lower() not in self.allowed:
            raise BadHost("This server does not answer to that Host. The setting server.allowed_hosts lists the names.")
