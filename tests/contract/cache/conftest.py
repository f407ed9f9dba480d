"""One Redis for all tests of a module, empty at the start of each."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.cache_stores import Open, open_memory, open_redis
from support.redis import RedisServer, redis_server


@pytest.fixture(scope="module", params=["memory", "redis"])
def server(request: pytest.FixtureRequest) -> Iterator[RedisServer | None]:
    """What a store needs to run."""
    if request.param == "memory":
        yield None
        return
    with redis_server() as running:
        yield running


@pytest.fixture
def open_store(server: RedisServer | None) -> Open:
    """Each store in turn."""
    if server is None:
        return open_memory
    with server.client() as client:
        client.flushall()
    return open_redis(server.url)
