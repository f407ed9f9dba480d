"""Two real servers that share a folder, and keys of two tenants."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from podium.testing.server_process import server_process
from support.batch_servers import FILE_BYTES, MODELS, Servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("shared")
    sections: dict[str, Any] = {
        "access": {"database": str(folder / "podium.db"), "refresh_seconds": 0.05},
        "batches": {"folder": str(folder / "batches"), "parallel": 4, "file_bytes": FILE_BYTES, "lines": 1000},
    }
    with server_process(*MODELS, **sections) as here, server_process(*MODELS, **sections) as there:
        running = Servers(here, there, folder / "podium.db", folder / "batches")
        yield running
        for client in running.clients:
            client.close()


@pytest.fixture(scope="module")
def acme(servers: Servers) -> str:
    return servers.key(tenant="acme")[0]


@pytest.fixture
def client(servers: Servers, acme: str) -> openai.OpenAI:
    return servers.client(acme)


@pytest.fixture
def elsewhere(servers: Servers, acme: str) -> openai.OpenAI:
    """The same caller at the other server."""
    return servers.client(acme, servers.there)


@pytest.fixture
def other(servers: Servers) -> openai.OpenAI:
    """Another tenant's."""
    return servers.client(servers.key(tenant="other")[0])
