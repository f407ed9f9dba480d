"""An issuer of bearer tokens: keys, key sets, honest tokens and forged ones."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

ISSUER = "https://issuer.example/realm"
AUDIENCE = "podium"
RSA, EC, ED = "rsa", "ec", "ed"


@cache
def private_key(name: str) -> Any:
    """A key pair; the same one for the same name. Names begin with their kind: ``rsa``, ``ec`` or ``ed``."""
    if name.startswith(RSA):
        return rsa.generate_private_key(public_exponent=65537, key_size=int(name.partition("-")[2] or 2048))
    if name.startswith("ec384"):
        return ec.generate_private_key(ec.SECP384R1())
    return ec.generate_private_key(ec.SECP256R1()) if name.startswith(EC) else ed25519.Ed25519PrivateKey.generate()


def public_pem(name: str) -> bytes:
    """The public key as a file would hold it."""
    found: bytes = (
        private_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return found


def jwk(name: str, *, private: bool = False, **members: Any) -> dict[str, Any]:
    """The key as a member of a key set."""
    kind: Any = OKPAlgorithm if name.startswith(ED) else {"r": RSAAlgorithm, "e": ECAlgorithm}[name[0]]
    key = private_key(name) if private else private_key(name).public_key()
    found: dict[str, Any] = kind.to_jwk(key, as_dict=True)
    found.pop("key_ops", None)
    return {**found, "kid": name, **members}


def key_set(*keys: dict[str, Any]) -> bytes:
    """The document that an issuer publishes."""
    return json.dumps({"keys": list(keys)}).encode()


def claims(**members: Any) -> dict[str, Any]:
    """Claims that are in order; None leaves one out."""
    now = int(time.time())
    full = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": "someone",
        "tenant": "acme",
        "nbf": now - 10,
        "exp": now + 300,
        **members,
    }
    return {name: value for name, value in full.items() if value is not None}


def token(key: str = RSA, algorithm: str = "RS256", header: dict[str, Any] | None = None, **members: Any) -> str:
    """A token signed as it should be, whatever it says."""
    return signed(json.dumps(claims(**members)).encode(), key, algorithm, header)


def signed(payload: bytes, key: str = RSA, algorithm: str = "RS256", header: dict[str, Any] | None = None) -> str:
    """Any bytes, signed."""
    return jwt.PyJWS().encode(payload, private_key(key), algorithm, {"kid": key, **(header or {})})


def signed_under(header: str, payload: dict[str, Any], key: str = RSA) -> str:
    """A token with a good RS256 signature under a header that no library would write."""
    text = f"{_part(header)}.{_part(payload)}"
    return f"{text}.{_part(private_key(key).sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


def forged(header: str | bytes | dict[str, Any], payload: Any, signature: bytes = b"") -> str:
    """Three parts put together by hand."""
    return ".".join(_part(piece) for piece in (header, payload, signature))


def hmac_forged(header: dict[str, Any], payload: dict[str, Any], secret: bytes) -> str:
    """A token whose signature is an HMAC with ``secret``, such as somebody's public key."""
    signed = f"{_part(header)}.{_part(payload)}"
    return f"{signed}.{_part(hmac.digest(secret, signed.encode(), hashlib.sha256))}"


def _part(piece: Any) -> str:
    raw = (
        piece if isinstance(piece, bytes) else piece.encode() if isinstance(piece, str) else json.dumps(piece).encode()
    )
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
