"""A certificate and its key, read from files and checked before Envoy gets to see them."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from podium.config.gateway import GatewayTls
from podium.core.errors import ConfigurationError

LEAST_RSA_BITS = 2048
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


@dataclass(frozen=True)
class Certificate:
    """A chain, leaf first, and the leaf's private key, both as PEM. ``expires`` is the leaf's end."""

    chain: bytes
    key: bytes = field(repr=False)
    expires: dt.datetime


def read_certificate(tls: GatewayTls) -> Certificate:
    """The pair that ``gateway.tls`` names. Raises ``ConfigurationError`` for one that Envoy or clients would refuse."""
    chain, key = _bytes(tls.certificate, "certificate"), _bytes(tls.key, "key")
    leaf, private = _leaf(chain, tls.certificate), _private_key(key, tls.key)
    if private.public_key() != leaf.public_key():
        raise ConfigurationError(
            f"gateway.tls: the key in {tls.key} is not that of the first certificate in {tls.certificate}; give files "
            "that belong together, the server's own certificate first."
        )
    if leaf.not_valid_after_utc <= dt.datetime.now(dt.UTC):
        raise ConfigurationError(
            f"gateway.tls.certificate: {tls.certificate} expired on {leaf.not_valid_after_utc:%Y-%m-%d}; renew it."
        )
    return Certificate(chain, key, leaf.not_valid_after_utc)


def _bytes(path: str, name: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigurationError(f"gateway.tls.{name}: {path} cannot be read: {error.strerror}.") from error


def _leaf(chain: bytes, path: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise ConfigurationError(f"gateway.tls.certificate: {path} holds no certificate in PEM form.") from error


def _private_key(key: bytes, path: str) -> RSAPrivateKey | EllipticCurvePrivateKey:
    try:
        private = load_pem_private_key(key, None)
    except TypeError as error:
        raise ConfigurationError(f"gateway.tls.key: {path} is encrypted; give the key without a passphrase.") from error
    except ValueError as error:
        raise ConfigurationError(f"gateway.tls.key: {path} holds no private key in PEM form.") from error
    if isinstance(private, RSAPrivateKey) and private.key_size >= LEAST_RSA_BITS:
        return private
    if isinstance(private, EllipticCurvePrivateKey) and private.curve.name in _CURVES:
        return private
    raise ConfigurationError(
        f"gateway.tls.key: {path} is a key that Envoy does not take; use RSA with {LEAST_RSA_BITS} bits or more, or "
        "one of the curves P-256, P-384 and P-521."
    )
