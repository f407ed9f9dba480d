"""JSON Web Key Sets: from bytes to public keys, for one algorithm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jwt
import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

PublicKey = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey

MOST_KEYS = 100
SMALLEST_RSA_BITS = 2048

_READERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "RSA": RSAAlgorithm.from_jwk,
    "EC": ECAlgorithm.from_jwk,
    "OKP": OKPAlgorithm.from_jwk,
}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "EdDSA": "Ed25519"}


class KeySetInvalid(Exception):
    """The document holds no usable keys. The text says why, and nothing of what it holds."""


class _Jwk(msgspec.Struct):
    """The members of a JSON Web Key (RFC 7517, 7518, 8037) that decide whether it is used."""

    kty: str
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    crv: str | None = None
    d: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None


class _Jwks(msgspec.Struct):
    keys: list[_Jwk]


def read_key_set(document: bytes, algorithm: str) -> dict[str | None, PublicKey]:
    """The keys of a JWK set that can verify ``algorithm``, by ``kid``. Raises ``KeySetInvalid``.

    Keys for other algorithms and uses are passed over. A private key, one ``kid`` twice, or nothing
    that is usable makes the whole set invalid.
    """
    try:
        entries = msgspec.json.decode(document, type=_Jwks).keys
    except (msgspec.MsgspecError, UnicodeError, RecursionError) as error:
        raise KeySetInvalid("it is no JSON Web Key Set") from error
    found: dict[str | None, PublicKey] = {}
    for entry in entries[:MOST_KEYS]:
        if not _is_for(entry, algorithm):
            continue
        if entry.d is not None:
            raise KeySetInvalid("it holds a private key; publish public ones only")
        if entry.kid in found:
            raise KeySetInvalid("it holds two keys of the same kid")
        found[entry.kid] = _public_key(entry)
    if not found:
        raise KeySetInvalid(f"it holds no key for {algorithm}")
    return found


def _is_for(entry: _Jwk, algorithm: str) -> bool:
    curve = _CURVES.get(algorithm)
    kind = {"P-256": "EC", "P-384": "EC", "Ed25519": "OKP", None: "RSA"}[curve]
    return (
        entry.kty == kind
        and (curve is None or entry.crv == curve)
        and entry.use in (None, "sig")
        and entry.alg in (None, algorithm)
    )


def _public_key(entry: _Jwk) -> PublicKey:
    members: dict[str, Any] = {name: value for name, value in msgspec.to_builtins(entry).items() if value is not None}
    try:
        key = _READERS[entry.kty](members)
    except (jwt.PyJWTError, ValueError, TypeError, KeyError) as error:
        raise KeySetInvalid("one of its keys is malformed") from error
    if not isinstance(key, PublicKey):
        raise KeySetInvalid("one of its keys is of another kind")
    if isinstance(key, RSAPublicKey) and key.key_size < SMALLEST_RSA_BITS:
        raise KeySetInvalid(f"one of its RSA keys is shorter than {SMALLEST_RSA_BITS} bits")
    return key
