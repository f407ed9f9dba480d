"""One gateway's subscription: what it asked for, what it was sent, and what it has confirmed."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import structlog
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryResponse

from podium.core.errors import GatewayRejected
from podium.gateway.resources import ORDER
from podium.gateway.snapshot import Snapshot

log = structlog.get_logger(__name__)


@dataclass
class _Subscription:
    """The state of one type. ``nonce`` is that of the last response; only answers to it count."""

    names: frozenset[str] = frozenset()
    nonce: str = ""
    sent: str = ""
    acked: str = ""
    nack: str = ""
    changed: asyncio.Event = field(default_factory=asyncio.Event)


class AdsStream:
    """The state-of-the-world protocol on one stream (aggregated discovery service, v3).

    ``write`` sends one response. ``receive`` and ``deliver`` may run at the same time.
    """

    def __init__(self, node: str, write: Callable[[Any], Awaitable[None]]) -> None:
        self.node = node
        self._write = write
        self._writing = asyncio.Lock()
        self._numbers = itertools.count(1)
        self._types: dict[str, _Subscription] = {}
        self._gone = False
        self.rejections = 0

    async def receive(self, request: Any, snapshot: Snapshot) -> None:
        """Take a request: a subscription, an ACK, a NACK, or an answer to an older response, which says nothing."""
        kind, names = request.type_url, frozenset(request.resource_names)
        known = self._types.get(kind)
        if known is None:
            self._types[kind] = _Subscription(names)
            await self._send(kind, snapshot)
            return
        if request.response_nonce != known.nonce:
            return
        if request.HasField("error_detail"):
            self.rejections += 1
            known.nack = request.error_detail.message or "no reason given"
            log.error("gateway rejected", node=self.node, type=kind, version=known.sent, reason=known.nack)
        else:
            known.acked = known.sent
            log.debug("gateway confirmed", node=self.node, type=kind, version=known.acked)
        known.changed.set()
        if names != known.names:
            known.names = names
            await self._send(kind, snapshot)

    async def deliver(self, snapshot: Snapshot) -> None:
        """Send what differs, make before break, and return when all of it is confirmed.

        Raises ``GatewayRejected`` with the gateway's own text for a NACK; what came before it in order stays
        sent. Returns at once when the stream has ended. Cancelling stops the wait, not what was sent.
        """
        for kind in ORDER:
            if snapshot.has(kind) and kind in self._types and self._types[kind].acked != snapshot.versions[kind]:
                await self._send(kind, snapshot)
                await self._confirmed(kind, snapshot.versions[kind])

    def has_confirmed(self, snapshot: Snapshot) -> bool:
        """Whether all types are subscribed to and confirmed in the version of ``snapshot``."""
        asked = [kind for kind in ORDER if snapshot.has(kind)]
        return all(kind in self._types and self._types[kind].acked == snapshot.versions[kind] for kind in asked)

    def end(self) -> None:
        """Wake whoever waits for a confirmation that cannot come any more."""
        self._gone = True
        for subscription in self._types.values():
            subscription.changed.set()

    async def _send(self, kind: str, snapshot: Snapshot) -> None:
        if not snapshot.has(kind):
            return  # an empty list would take away what the gateway has, such as its certificate
        subscription = self._types[kind]
        async with self._writing:
            subscription.nonce = str(next(self._numbers))
            subscription.sent, subscription.nack = snapshot.versions[kind], ""
            subscription.changed.clear()
            await self._write(
                DiscoveryResponse(
                    type_url=kind,
                    version_info=subscription.sent,
                    nonce=subscription.nonce,
                    resources=snapshot.packed[kind],
                )
            )

    async def _confirmed(self, kind: str, version: str) -> None:
        subscription = self._types[kind]
        while subscription.acked != version and not self._gone:
            if subscription.nack:
                raise GatewayRejected(
                    f"The gateway refused the change and goes on as before. It says: {subscription.nack}"
                )
            subscription.changed.clear()
            await subscription.changed.wait()
