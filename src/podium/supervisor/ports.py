"""TCP ports of this machine."""

from __future__ import annotations

import errno
import random
import socket
from itertools import islice

from podium.core.errors import ConfigurationError

QUIET_PORTS = range(15000, 32000)
"""Ports that systems do not give to outgoing connections by themselves (Linux begins at 32768, macOS at 49152)."""


def free_ports(count: int, host: str = "127.0.0.1") -> list[int]:
    """``count`` different ports that nothing uses at the moment, drawn by chance from ``QUIET_PORTS``.

    A server that comes later, or again, finds them still free: no connection of anybody takes one meanwhile.
    Raises ``ConfigurationError`` when there are not as many.
    """
    drawn = random.sample(QUIET_PORTS, len(QUIET_PORTS))
    found = list(islice((port for port in drawn if _is_free(host, port)), count))
    if len(found) < count:
        raise ConfigurationError(f"{count} free ports are needed between {QUIET_PORTS.start} and {QUIET_PORTS.stop}.")
    return found


def _is_free(host: str, port: int) -> bool:
    try:
        socket.create_server((host, port), family=_family(host)).close()
    except OSError as error:
        if error.errno in {errno.EADDRINUSE, errno.EACCES}:
            return False
        raise
    return True


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
