"""Where the server of a configuration answers: itself, or the gateway in front of it."""

from __future__ import annotations

from podium.cli.connection import address, is_listening
from podium.config.gateway import split_address
from podium.config.settings import Settings


def listening_address(settings: Settings) -> str | None:
    """The base URL of the server or, where there is none, of the gateway; None when nothing listens at either."""
    server, (host, port) = settings.server, split_address(settings.gateway.listen)
    if server.port and is_listening(server.host, server.port):
        return address(server.host, server.port)
    if port and is_listening(host, port):
        secure = settings.gateway.tls is not None
        return address(host, port).replace("http:", "https:", 1) if secure else address(host, port)
    return None


def serving_address(settings: Settings) -> str | None:
    """``listening_address``, else where a server would listen; None when that is not known (port 0)."""
    server = settings.server
    return listening_address(settings) or (address(server.host, server.port) if server.port else None)
