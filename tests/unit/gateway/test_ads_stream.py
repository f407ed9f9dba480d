"""The discovery protocol on one stream: what counts as an answer, and to what."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from envoy.service.discovery.v3.discovery_pb2 import DiscoveryRequest

from podium.core.errors import GatewayRejected
from podium.gateway.ads_stream import AdsStream
from podium.gateway.resources import CERTIFICATE, CLUSTER, ROUTE
from podium.gateway.snapshot import snapshot_of
from support.deadline import soon
from support.topologies import topology

FIRST = snapshot_of(topology())
SECOND = snapshot_of(topology({"blue": 90, "green": 10}))


class Gateway:
    """What a gateway would do, by hand."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.stream = AdsStream("gw", self._write)

    async def _write(self, response: Any) -> None:
        self.got.append(response)

    async def ask(self, kind: str, *names: str) -> None:
        await self.stream.receive(DiscoveryRequest(type_url=kind, resource_names=names), FIRST)

    async def answer(self, response: Any, *, error: str = "") -> None:
        request = DiscoveryRequest(type_url=response.type_url, response_nonce=response.nonce)
        if error:
            request.error_detail.message = error
        await self.stream.receive(request, FIRST)


def with_gateway(act: Callable[[Gateway], Awaitable[None]]) -> None:
    asyncio.run(act(Gateway()))  # type: ignore[arg-type]  # every act is a coroutine function


def test_a_subscription_is_answered_and_an_answer_is_not() -> None:
    async def act(gateway: Gateway) -> None:
        await gateway.ask(ROUTE, "traffic")
        (response,) = gateway.got
        assert response.version_info == FIRST.versions[ROUTE]
        assert not gateway.stream.has_confirmed(FIRST)
        request = DiscoveryRequest(type_url=ROUTE, response_nonce=response.nonce, resource_names=["traffic"])
        await gateway.stream.receive(request, FIRST)
        assert gateway.got == [response]

    with_gateway(act)


def test_a_delivery_waits_for_the_ack_of_its_own_nonce() -> None:
    async def act(gateway: Gateway) -> None:
        await gateway.ask(ROUTE)
        old = gateway.got[0]
        await gateway.answer(old)
        delivery = asyncio.get_running_loop().create_task(gateway.stream.deliver(SECOND), name="delivery")
        await soon("the change is sent", lambda: len(gateway.got) == 2)
        await gateway.answer(old)
        await asyncio.sleep(0)
        assert not delivery.done()
        await gateway.answer(gateway.got[1])
        await delivery

    with_gateway(act)


def test_only_what_differs_is_sent() -> None:
    async def act(gateway: Gateway) -> None:
        for kind in (CLUSTER, ROUTE):
            await gateway.ask(kind)
            await gateway.answer(gateway.got[-1])
        async with asyncio.TaskGroup() as group:
            group.create_task(gateway.stream.deliver(SECOND), name="delivery")
            await soon("the change is sent", lambda: len(gateway.got) == 3)
            await gateway.answer(gateway.got[2])
        assert [response.type_url for response in gateway.got] == [CLUSTER, ROUTE, ROUTE]

    with_gateway(act)


def test_a_nack_reaches_the_caller_in_its_own_words() -> None:
    async def act(gateway: Gateway) -> None:
        await gateway.ask(ROUTE)
        await gateway.answer(gateway.got[0])
        delivery = asyncio.get_running_loop().create_task(gateway.stream.deliver(SECOND), name="delivery")
        await soon("the change is sent", lambda: len(gateway.got) == 2)
        await gateway.answer(gateway.got[1], error="no such thing")
        with pytest.raises(GatewayRejected, match="It says: no such thing"):
            await delivery

    with_gateway(act)


def test_nobody_waits_for_a_gateway_that_is_gone() -> None:
    async def act(gateway: Gateway) -> None:
        await gateway.ask(ROUTE)
        delivery = asyncio.get_running_loop().create_task(gateway.stream.deliver(SECOND), name="delivery")
        await soon("the change is sent", lambda: len(gateway.got) == 2)
        gateway.stream.end()
        await delivery

    with_gateway(act)


def test_of_a_type_of_which_there_is_nothing_nothing_is_sent() -> None:
    """A controller that has not read the certificate yet must not take away the one that the gateway has."""

    async def act(gateway: Gateway) -> None:
        await gateway.ask(CERTIFICATE, "certificate")
        await gateway.stream.deliver(FIRST)
        assert gateway.got == []

    with_gateway(act)
