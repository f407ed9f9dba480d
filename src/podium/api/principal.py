"""Who makes a request: put into its scope by authentication, read by the routes."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from podium.core.identity import Principal

_KEY = "podium.principal"
_ON_BEHALF = "podium.on_behalf"
BACKGROUND_PRIORITY = -999_999
"""The class of requests that a batch makes: below every caller's, above copies of requests."""


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


def act_for(scope: MutableMapping[str, Any], earlier: Principal) -> None:
    """Make the request one of this process itself, in the background, for somebody who was known ``earlier``."""
    scope[_ON_BEHALF] = earlier


def acts_for(scope: MutableMapping[str, Any]) -> Principal | None:
    """For whom this process asks itself; None for a request of a client, which has no way to say so."""
    earlier: Principal | None = scope.get(_ON_BEHALF)
    return earlier
