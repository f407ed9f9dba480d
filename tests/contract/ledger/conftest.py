"""Every case runs over every ledger; the shared one on a real redis-server, in the test's time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from structlog.testing import LogCapture

from support.ledgers import EmbeddedSubject, LedgerSubject, RedisSubject
from support.quiet_logs import captured_logs
from support.redis import RedisServer, redis_server


@pytest.fixture(scope="module")
def server() -> Iterator[RedisServer]:
    with redis_server() as server:
        yield server


@pytest.fixture(params=["embedded", "redis"])
def subject(request: pytest.FixtureRequest, server: RedisServer) -> LedgerSubject:
    return EmbeddedSubject() if request.param == "embedded" else RedisSubject(server)


@pytest.fixture(autouse=True)
def log() -> Iterator[LogCapture]:
    with captured_logs() as capture:
        yield capture
