"""Who makes a request: put into its scope by authentication, read by the routes."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from podium.core.identity import Principal

_KEY = "podium.principal"


def attach(scope: MutableMapping[str, Any], principal: Principal) -> None:
    """Make ``principal`` the caller of the request."""
    scope[_KEY] = principal


def principal_of(scope: MutableMapping[str, Any]) -> Principal:
    """The caller of the request. Raises RuntimeError where authentication did not stand before: a bug."""
    principal = known_principal(scope)
    if principal is None:
        raise RuntimeError("no principal is attached: this is a bug, authentication must stand before every route")
    return principal


def known_principal(scope: MutableMapping[str, Any]) -> Principal | None:
    """The caller, or None for a request that was refused before or that needed no caller (probes)."""
    principal: Principal | None = scope.get(_KEY)
    return principal
