"""The discovery server: gateways connect to it, get the present snapshot, and confirm each change."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Self

import grpc
import structlog
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest, DiscoveryResponse

from podium.aio import tasks
from podium.core.errors import GatewayRejected, GatewayUnavailable, PodiumError
from podium.gateway.ads_stream import AdsStream
from podium.gateway.snapshot import Snapshot

log = structlog.get_logger(__name__)

SERVICE = "envoy.service.discovery.v3.AggregatedDiscoveryService"
_STOP_SECONDS = 0.5
_OPTIONS = [("grpc.http2.max_ping_strikes", 0)]
"""Gateways ask often whether the connection lives; by default a server hangs up at the fourth time."""


class DiscoveryServer:
    """Feeds every gateway that connects to ``address``. A context manager: entered means listening.

    ``address`` is the path of a Unix socket, or ``host:port``. ``push`` changes what they are told. Leaving closes the
    streams; gateways keep their last configuration. ``handlers``: other services for them, on the same address. A
    gateway that does not confirm a change in time is hung up on: the next change does not wait for it, and if it lives,
    it comes again and gets everything.
    """

    def __init__(
        self,
        address: str,
        snapshot: Snapshot,
        *,
        ack_seconds: float,
        handlers: Sequence[Any] = (),
    ) -> None:
        self._address = f"unix:{address}" if address.startswith("/") else address
        self._handlers = handlers
        self._ack_seconds = ack_seconds
        self._streams: dict[AdsStream, asyncio.Task[Any] | None] = {}
        self._pushing = asyncio.Lock()
        self._rejections = 0
        self.snapshot = snapshot

    async def __aenter__(self) -> Self:
        self._server = grpc.aio.server(options=_OPTIONS)
        method = grpc.stream_stream_rpc_method_handler(
            self._serve,
            request_deserializer=DiscoveryRequest.FromString,
            response_serializer=DiscoveryResponse.SerializeToString,
        )
        handlers = grpc.method_handlers_generic_handler(SERVICE, {"StreamAggregatedResources": method})
        self._server.add_generic_rpc_handlers((handlers, *self._handlers))
        self._server.add_insecure_port(self._address)
        await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop(_STOP_SECONDS)

    @property
    def connected(self) -> int:
        """How many gateways are connected."""
        return len(self._streams)

    @property
    def rejections(self) -> int:
        """How many times gateways have refused what they were sent."""
        return self._rejections + sum(stream.rejections for stream in self._streams)

    @property
    def confirmed(self) -> bool:
        """Whether there is a gateway, and every one has confirmed the present snapshot."""
        return bool(self._streams) and all(stream.has_confirmed(self.snapshot) for stream in self._streams)

    async def push(self, snapshot: Snapshot) -> None:
        """Make ``snapshot`` the present one and return when every connected gateway has confirmed it.

        Raises ``GatewayRejected`` with the text of a NACK, or ``GatewayUnavailable`` when none is connected or one
        does not confirm in time; the snapshot before is then present again, and has been sent again. One push at a
        time. Cancelled, it goes back too, without waiting.
        """
        async with self._pushing:
            if not self._streams:
                raise GatewayUnavailable("No gateway is connected, so nothing was changed. Try again when one is.")
            before, self.snapshot = self.snapshot, snapshot
            try:
                await self._deliver(snapshot)
            except (PodiumError, asyncio.CancelledError):
                self.snapshot = before
                await self._go_back()
                raise

    async def renew(self, snapshot: Snapshot) -> None:
        """Make ``snapshot`` the present one, come what may: it says what is so, and there is no going back from that.

        Returns when every connected gateway has confirmed it, or has refused or missed it, which is logged. Gateways
        that connect later get it. Cancelled, it stays.
        """
        async with self._pushing:
            self.snapshot = snapshot
            try:
                await self._deliver(snapshot)
            except PodiumError as error:
                log.error("a gateway goes on with servers of before", reason=error.message)  # noqa: TRY400 - told

    async def _deliver(self, snapshot: Snapshot) -> None:
        """Tell all at the same time: one that does not answer keeps nothing from the others."""
        late: list[AdsStream] = []
        refusals: list[GatewayRejected] = []

        async def tell(stream: AdsStream) -> None:
            try:
                async with asyncio.timeout(self._ack_seconds):
                    await stream.deliver(snapshot)
            except TimeoutError:
                late.append(stream)
            except GatewayRejected as error:
                refusals.append(error)

        async with asyncio.TaskGroup() as group:
            for stream in self._streams:
                group.create_task(tell(stream), name=f"tell {stream.node}")
        for stream in late:
            self._hang_up(stream)
        if refusals:
            raise refusals[0]
        if late:
            raise GatewayUnavailable(
                f"The gateway did not confirm the change within {self._ack_seconds:g} s; it was taken back."
            )

    def _hang_up(self, stream: AdsStream) -> None:
        log.warning("a gateway does not confirm; its connection is ended", node=stream.node)
        following = self._streams.pop(stream, None)
        if following is not None:
            following.cancel()

    async def _go_back(self) -> None:
        try:
            await self._deliver(self.snapshot)
        except PodiumError as error:
            log.error("taking a change back was not confirmed", reason=error.message)  # noqa: TRY400 - the cause is told

    async def _serve(self, requests: AsyncIterator[Any], context: Any) -> None:
        """Returns when the gateway has gone or is hung up on; returning tells it so, and it comes again."""
        following = tasks.start(self._follow(requests, context), name="gateway")
        try:
            await asyncio.wait({following})
        finally:
            await tasks.stop(following)

    async def _follow(self, requests: AsyncIterator[Any], context: Any) -> None:
        stream: AdsStream | None = None

        async def write(response: Any) -> None:
            try:
                await context.write(response)
            except grpc.aio.BaseError:  # it has hung up, which the end of its requests tells in a moment
                assert stream is not None  # noqa: S101 - this is a bug: nothing else writes
                stream.end()

        try:
            async for request in requests:
                if stream is None:
                    stream = AdsStream(request.node.id, write)
                    self._streams[stream] = asyncio.current_task()
                    log.info("gateway connected", node=stream.node)
                await stream.receive(request, self.snapshot)
        finally:
            if stream is not None:
                self._streams.pop(stream, None)
                self._rejections += stream.rejections
                stream.end()
                log.info("gateway disconnected", node=stream.node)
