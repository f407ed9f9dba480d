"""The running server that a command talks to: the one that is named, or the configured one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlencode

from podium.cli.connection import Connection, key_from
from podium.cli.failure import Failure
from podium.cli.options import settings_from
from podium.cli.serving_address import serving_address

T = TypeVar("T")


class RunningServer(Connection):
    """A connection for looking at a server and for making it forget."""

    def delete(self, path: str, kind: type[T]) -> T:
        """The answer to a DELETE, checked against the wire type ``kind``."""
        return self._call("DELETE", path, kind)


def running_server(url: str | None, key_file: Path | None, config: Path | None) -> RunningServer:
    """The server at ``url``, or where the configuration says. Raises Failure when that names no port."""
    key = key_from(key_file)
    if url is not None:
        return RunningServer(url, key=key)
    base = serving_address(settings_from(config).settings)
    if base is None:
        raise Failure("the configured port is 0, so the server's address is unknown here; name it with --url")
    return RunningServer(base, key=key)


def with_query(path: str, parameters: Mapping[str, str | None]) -> str:
    """``path`` with those of ``parameters`` that are not None."""
    given = {name: value for name, value in parameters.items() if value is not None}
    return f"{path}?{urlencode(given)}" if given else path
