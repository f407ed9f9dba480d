"""Proof that a message is ours and not an old one: an HMAC over its time and its body."""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

from podium.core.errors import ConfigurationError

TIMESTAMP_HEADER = "x-podium-timestamp"
SIGNATURE_HEADER = "x-podium-signature"
_LEAST_BYTES = 16


def read_secret(path: str) -> bytes | None:
    """The secret in the file ``path``, without white space around it; None for no path.

    Raises ``ConfigurationError`` when it cannot be read or is shorter than 16 bytes.
    """
    if not path:
        return None
    try:
        secret = Path(path).read_bytes().strip()
    except OSError as error:
        raise ConfigurationError(f"monitor.webhooks: secret_file {path} cannot be read: {error.strerror}") from error
    if len(secret) < _LEAST_BYTES:
        raise ConfigurationError(
            f"monitor.webhooks: secret_file {path} holds {len(secret)} bytes; {_LEAST_BYTES} or more are needed, such "
            "as those of `openssl rand -hex 32`"
        )
    return secret


def signed(secret: bytes, body: bytes, *, now: float) -> dict[str, str]:
    """The headers that sign ``body``: seconds since 1970, and ``sha256=`` with the HMAC of ``TIMESTAMP.BODY``."""
    timestamp = str(int(now))
    digest = hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    return {TIMESTAMP_HEADER: timestamp, SIGNATURE_HEADER: f"sha256={digest}"}
