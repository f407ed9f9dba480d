"""A real Envoy and servers that come and go: who gets traffic, and from when."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import httpx

from support.deadline import soon
from support.fed_envoy import Fed, fed
from support.ports import free_port


@asynccontextmanager
async def answering(port: int, served: Counter[int]) -> AsyncIterator[None]:
    """A server that answers everything with its port, and counts what is posted."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        served[port] += head.startswith(b"POST")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", port):
        yield


async def ask(one: Fed, count: int) -> None:
    async with httpx.AsyncClient(timeout=30) as client:
        for _ in range(count):
            answer = await client.post(f"http://127.0.0.1:{one.topology.listen.port}/", json={})
            assert answer.status_code == 200


async def are_healthy(one: Fed, ports: list[int]) -> None:
    """Return when Envoy says that all servers of blue pass their check."""
    for port in ports:
        while not await one.admin.is_healthy("blue", f"127.0.0.1:{port}"):  # noqa: ASYNC110 - Envoy has no event
            await asyncio.sleep(0.01)


def test_a_server_that_comes_a_moment_after_another_gets_traffic_as_soon_as_it_passes() -> None:
    """Else the first one is the only one for a second, and whoever asks after its death finds nobody."""

    async def act() -> None:
        ports, served = [free_port(), free_port()], Counter[int]()
        async with fed(servers={"blue": ports}) as one, AsyncExitStack() as stack:
            await soon("both are missed", lambda: one.discovery.confirmed)
            for port in ports:
                await stack.enter_async_context(answering(port, served))
            async with asyncio.timeout(30):
                await are_healthy(one, ports)
            await ask(one, 30)
        assert set(+served) == set(ports)

    asyncio.run(act())
