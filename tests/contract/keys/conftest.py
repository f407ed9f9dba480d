"""Every case runs over every place where keys can be kept."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import LogCapture

from support.keys import RedisSubject, SqliteSubject, StoreSubject
from support.quiet_logs import captured_logs
from support.redis import redis_server


@pytest.fixture(params=["sqlite", "redis"])
def subject(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StoreSubject]:
    if request.param == "sqlite":
        yield SqliteSubject(tmp_path / "podium.db")
        return
    with redis_server() as server:
        yield RedisSubject(server)


@pytest.fixture(autouse=True)
def log() -> Iterator[LogCapture]:
    with captured_logs() as capture:
        yield capture
