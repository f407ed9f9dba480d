"""Gateways as a discovery server sees them, without an Envoy: they subscribe, and confirm what they are sent."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from podium.aio import tasks
from podium.gateway.resources import ORDER
from podium.gateway.xds import SERVICE


@asynccontextmanager
async def gateway(address: str, node: str, versions: dict[str, str]) -> AsyncIterator[None]:
    """One that confirms everything at once, and comes again when it is hung up on.

    ``versions`` holds what it was sent last, by type.
    """

    async def live(channel: grpc.aio.Channel) -> None:
        while True:
            with contextlib.suppress(grpc.aio.AioRpcError, asyncio.InvalidStateError):
                await _answer(_called(channel), node, versions)
            await asyncio.sleep(0.02)

    async with grpc.aio.insecure_channel(address) as channel:
        running = tasks.start(live(channel), name=f"gateway {node}")
        try:
            yield
        finally:
            await tasks.stop(running)


def _called(channel: grpc.aio.Channel) -> Any:
    method = channel.stream_stream(
        f"/{SERVICE}/StreamAggregatedResources",
        request_serializer=DiscoveryRequest.SerializeToString,
        response_deserializer=DiscoveryResponse.FromString,
    )
    return method()


async def _answer(call: Any, node: str, versions: dict[str, str]) -> None:
    for kind in ORDER:
        await call.write(DiscoveryRequest(type_url=kind, node={"id": node}))
    while (response := await call.read()) is not grpc.aio.EOF:
        versions[response.type_url] = response.version_info
        await call.write(DiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce))


class Wire:
    """A TCP proxy to ``port`` of this machine that can stop passing anything on, as when a machine dies."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._passes = asyncio.Event()
        self._passes.set()
        self._tasks: list[asyncio.Task[None]] = []
        self._writers: list[asyncio.StreamWriter] = []

    def cut(self) -> None:
        """From now on nothing passes, and no connection ends."""
        self._passes.clear()

    def mend(self) -> None:
        """What was kept back passes, and all that comes."""
        self._passes.set()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._join, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await tasks.stop(*self._tasks)
        for writer in self._writers:
            writer.transport.abort()

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target)
        self._writers += [writer, far_writer]
        for source, sink in ((reader, far_writer), (far_reader, writer)):
            self._tasks.append(tasks.start(self._pass_on(source, sink), name="wire"))

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await source.read(65536):
                await self._passes.wait()
                sink.write(data)
                await sink.drain()
