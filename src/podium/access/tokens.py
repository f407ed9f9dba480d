"""Bearer tokens of the operator's own issuer, checked without asking anybody."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import re
from typing import Any, get_args

import jwt
import msgspec

from podium.access.key_record import is_tenant_name
from podium.access.key_set import KeySet
from podium.config.access import Jwt
from podium.core.identity import Principal, Role

MOST_CHARACTERS = 8192
REQUIRED_CLAIMS = ["iss", "aud", "exp", "nbf", "sub"]

_SHAPE = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\Z")
_ROLES: frozenset[Role] = frozenset(get_args(Role))
KEY_ID_START = "jwt:"
"""How the key id of a token begins."""
_KEY_ID_CHARACTERS = 16

# What malformed bytes can raise in the parsers below us. The signature is checked before claims are read.
_MALFORMED = (jwt.PyJWTError, ValueError, TypeError, KeyError, OverflowError, RecursionError)


class TokenRefused(Exception):
    """The token opens nothing. Callers are not told why, and neither is a log."""


class TokenVerifier:
    """Checks tokens with the keys of ``key_set``, which it does not own.

    The algorithm is the configured one whatever a token says. ``iss``, ``aud``, ``exp``, ``nbf``, ``sub`` and the
    tenant claim are required; ``kid`` is looked up among the keys and used for nothing else; every other member of
    the header is ignored, and ``crit`` refused.
    """

    def __init__(self, settings: Jwt, key_set: KeySet) -> None:
        self._settings = settings
        self._key_set = key_set

    @property
    def loaded(self) -> bool:
        """Whether there are keys to check with."""
        return self._key_set.loaded

    def verify(self, token: str) -> Principal:
        """Who sent ``token``. Raises ``TokenRefused`` for anything that is not in order. Does no I/O."""
        if len(token) > MOST_CHARACTERS or not _SHAPE.match(token):
            raise TokenRefused
        try:
            return self._principal(self._claims(token))
        except _MALFORMED as error:
            raise TokenRefused from error

    def _claims(self, token: str) -> dict[str, Any]:
        settings = self._settings
        header = _header(token)
        kid = header.get("kid")
        if header.get("alg") != settings.algorithm or "crit" in header or not isinstance(kid, str | None):
            raise TokenRefused
        key = self._key_set.find(kid)
        if key is None:
            raise TokenRefused
        claims: dict[str, Any] = jwt.decode(
            token,
            key,
            algorithms=[settings.algorithm],
            audience=settings.audience,
            issuer=settings.issuer,
            leeway=settings.leeway_seconds,
            options={"require": REQUIRED_CLAIMS, "enforce_minimum_key_length": True},
        )
        for time_claim in ("exp", "nbf"):
            _require_time(claims[time_claim])
        return claims

    def _principal(self, claims: dict[str, Any]) -> Principal:
        settings = self._settings
        tenant, subject = claims.get(settings.tenant_claim), claims["sub"]
        if not isinstance(tenant, str) or not is_tenant_name(tenant) or not isinstance(subject, str) or not subject:
            raise TokenRefused
        roles: frozenset[Role] = frozenset(settings.default_roles)
        if settings.roles_claim in claims:
            given = _texts(claims[settings.roles_claim])
            roles = frozenset(role for role in _ROLES if role in given)  # an issuer has roles of its own beside ours
        models = _texts(claims[settings.models_claim]) if settings.models_claim in claims else None
        return Principal(tenant=tenant, key_id=_key_id(settings.issuer, subject), roles=roles, models=models)


def _header(token: str) -> dict[str, Any]:
    """The header, with no member twice."""
    text = token.partition(".")[0]
    decoded = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    header = json.loads(decoded, object_pairs_hook=_without_repetition)
    if not isinstance(header, dict):
        raise TokenRefused
    return header


def _without_repetition(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) != len(members):
        raise TokenRefused
    return found


def _require_time(value: object) -> None:
    """NumericDate of RFC 7519: a JSON number."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise TokenRefused


def _texts(value: object) -> frozenset[str]:
    return frozenset(msgspec.convert(value, tuple[str, ...], strict=True))


def _key_id(issuer: str, subject: str) -> str:
    """The same for every token of a subject; tells usage apart without telling who it is."""
    digest = hashlib.sha256()
    for part in (issuer.encode(), subject.encode("utf-8", "surrogatepass")):
        digest.update(len(part).to_bytes(8, "big") + part)
    return f"{KEY_ID_START}{digest.hexdigest()[:_KEY_ID_CHARACTERS]}"
