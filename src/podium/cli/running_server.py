"""The running server that a command talks to: the one that is named, or the configured one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from podium.cli.configured_server import connected
from podium.cli.connection import Connection
from podium.cli.serving_address import serving_address

T = TypeVar("T")


class RunningServer(Connection):
    """A connection for looking at a server and for making it forget."""

    def delete(self, path: str, kind: type[T]) -> T:
        """The answer to a DELETE, checked against the wire type ``kind``."""
        return self._call("DELETE", path, kind)


def running_server(url: str | None, key_file: Path | None, config: Path | None) -> RunningServer:
    """The server at ``url``, or where the configuration says. Raises Failure when that names no port."""
    return connected(RunningServer, url, key_file, config, place=serving_address)


def with_query(path: str, parameters: Mapping[str, str | None]) -> str:
    """``path`` with those of ``parameters`` that are not None."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
