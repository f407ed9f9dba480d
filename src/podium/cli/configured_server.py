"""Connections to the server that a command means: the one that is named, or the configured one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from podium.cli.connection import Connection, key_from
from podium.cli.failure import Failure
from podium.cli.options import settings_from
from podium.config.settings import Settings

C = TypeVar("C", bound=Connection)


def connected(
    kind: type[C],
    url: str | None,
    key_file: Path | None,
    config: Path | None,
    *,
    place: Callable[[Settings], str | None],
) -> C:
    """A connection to ``url``, else to what ``place`` finds in the settings.

    Raises:
        Failure: the settings name no port, or there is no usable key in ``key_file``.
    """
    key = key_from(key_file)
    base = url if url is not None else place(settings_from(config).settings)
    if base is None:
        raise Failure("the configured port is 0, so the server's address is unknown here; name it with --url")
    return kind(base, key=key)
