"""Whether a request comes from this very machine, and from a program that meant to send it."""

from __future__ import annotations

import re
from collections.abc import Collection
from urllib.parse import urlsplit

from starlette.types import Scope

from podium.config.access import is_loopback

_HOST = re.compile(r"(?P<name>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?\Z")
_FORWARDED = {b"forwarded", b"x-real-ip", b"x-forwarded-host"}  # set by a proxy that speaks for somebody else


class Locality:
    """Tells local callers from others, for a server that listens on ``host``.

    Listening on loopback is not enough. A page of a foreign site can make a browser on this machine send
    requests here (a name of its own that it points to 127.0.0.1, or a plain form), and a proxy on this machine
    passes strangers on. So Host must name this machine, a browser's Origin must be this machine or one of
    ``origins``, and a proxy must not say that somebody else asks.
    """

    def __init__(self, host: str, origins: Collection[str]) -> None:
        self._listens_locally = is_loopback(host)
        self._origins = frozenset(origins)

    def __call__(self, scope: Scope) -> bool:
        """Whether the request of ``scope`` is local. Reads headers alone, and only ever to say no."""
        return self._listens_locally and self._headers_agree(scope["headers"])

    def _headers_agree(self, headers: list[tuple[bytes, bytes]]) -> bool:
        hosts = 0
        for name, raw in headers:
            value = raw.decode("latin-1")
            if name == b"host":
                hosts += 1
                agrees = _names_this_machine(value)
            elif name == b"origin":
                agrees = value in self._origins or _is_local_origin(value)
            elif name == b"sec-fetch-site":
                agrees = value != "cross-site" or bool(self._origins)
            elif name == b"x-forwarded-for":
                agrees = all(is_loopback(part.strip()) for part in value.split(","))
            else:
                agrees = name not in _FORWARDED
            if not agrees:
                return False
        return hosts == 1


def _names_this_machine(host: str) -> bool:
    match = _HOST.match(host)
    return match is not None and is_loopback(match["name"].strip("[]").lower())


def _is_local_origin(origin: str) -> bool:
    try:
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and is_loopback((parts.hostname or "").lower())
    except ValueError:
        return False
