"""The one place where a request is let in: deny by default, open by a literal list."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from starlette.types import ASGIApp, Receive, Scope, Send

from podium.api import shadow
from podium.api.gatekeeper import Gatekeeper
from podium.api.principal import BACKGROUND_PRIORITY, acts_for, attach
from podium.api.roles import PROBES, role_for
from podium.core.errors import PermissionDenied
from podium.core.identity import Principal, Role

_BEARER = "bearer"
_BLANKS = " \t"  # RFC 9110; what else str.strip takes is part of the text here


class Authenticate:
    """Lets a request in by ``scope["path"]``, its method and its credentials, never by a URL built from Host.

    The caller's principal is attached to the request. ``route_of`` gives a request's route template,
    ``is_local`` whether it comes from this machine. ``open_paths`` are open to everyone, by their exact text. A copy
    of somebody's request that the gateway made is that caller's, and counts nowhere. Where this process asks itself for
    somebody, that one's rights are looked up anew, and its class is the lowest.
    """

    def __init__(
        self,
        app: ASGIApp,
        gatekeeper: Gatekeeper,
        *,
        route_of: Callable[[Scope], str],
        is_local: Callable[[Scope], bool],
        open_paths: frozenset[str] = PROBES,
    ) -> None:
        self.app = app
        self.gatekeeper = gatekeeper
        self.route_of = route_of
        self.is_local = is_local
        self.open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or raise Unauthenticated or PermissionDenied."""
        if scope["type"] == "http":
            is_copy = self._is_copy(scope)
            if is_copy:
                shadow.attach(scope)
            if scope["path"] not in self.open_paths:
                self._admit(scope, uncounted=is_copy)
        await self.app(scope, receive, send)

    def _is_copy(self, scope: Scope) -> bool:
        """Whether it bears the gateway's mark. One that is not the gateway's is refused, never passed over."""
        shown = [raw.decode("latin-1") for name, raw in scope["headers"] if name == shadow.MARK]
        if not shown:
            return False
        if len(shown) == 1 and self.gatekeeper.is_copy(shown[0]):
            return True
        raise PermissionDenied("x-podium-shadow marks the gateway's own copies of requests; leave it out.")

    def _admit(self, scope: Scope, *, uncounted: bool) -> None:
        principal = self._caller(scope)
        if uncounted:
            principal = msgspec.structs.replace(principal, uncounted=True, priority=shadow.COPY_PRIORITY)
        attach(scope, principal)
        role = role_for(self.route_of(scope), scope["method"])
        if role is not None and not principal.may(role):
            raise PermissionDenied(_refusal(role))

    def _caller(self, scope: Scope) -> Principal:
        earlier = acts_for(scope)
        if earlier is None:
            return self.gatekeeper.identify(credentials_in(scope), local=self.is_local(scope))
        return msgspec.structs.replace(self.gatekeeper.renewed(earlier), priority=BACKGROUND_PRIORITY)


def credentials_in(scope: Scope) -> list[str]:
    """Every credential of a request, as text of one byte a character: ``Authorization`` and ``x-api-key``.

    Of ``Authorization`` the part after ``Bearer`` counts; another scheme is a credential as a whole, which
    nobody has. Empty headers are credentials too: what was sent is judged, never passed over.
    """
    found = []
    for name, raw in scope["headers"]:
        if name == b"authorization":
            value = raw.decode("latin-1").strip(_BLANKS)
            scheme, _, rest = value.partition(" ")
            found.append(rest.strip(_BLANKS) if scheme.lower() == _BEARER else value)
        elif name == b"x-api-key":
            found.append(raw.decode("latin-1").strip(_BLANKS))
    return found


def _refusal(role: Role) -> str:
    return (
        f"This key may not do that; it takes one with the role '{role}'. "
        f"An administrator makes one with `podium keys create --role {role}`."
    )
