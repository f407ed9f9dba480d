"""TCP ports of this machine."""

from __future__ import annotations

import socket
from contextlib import ExitStack

from podium.core.errors import ConfigurationError


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that nothing uses at the moment; another program may take one before you do."""
    with ExitStack() as held:
        sockets = [held.enter_context(socket.create_server((host, 0), family=_family(host))) for _ in range(count)]
        return [bound.getsockname()[1] for bound in sockets]


def require_free(host: str, port: int, setting: str) -> int:
    """``port``, or a free one for 0. Raises ``ConfigurationError`` when it is taken or not this machine's."""
    try:
        with socket.create_server((host, port), family=_family(host)) as bound:
            found: int = bound.getsockname()[1]
            return found
    except OSError as error:
        raise ConfigurationError(
            f"Cannot listen on {host} port {port}: {error.strerror}. Stop what listens there, or set {setting}."
        ) from error


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
