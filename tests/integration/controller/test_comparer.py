"""Copied requests, asked again over real sockets: which answers say something of a version."""

from __future__ import annotations

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any, cast
from urllib.parse import urlsplit

import httpx
import pytest

from podium.aio import tasks
from podium.controller.comparer import Comparer
from podium.controller.copies_port import CopiesPort
from podium.gateway.route import PIN_HEADER
from podium.gateway.topology import Endpoint, Topology
from podium.gateway.traffic import Traffic
from podium.protocols.shadow import COUNTS_NOWHERE, FIELD
from podium.rollout.analysis.shadow_evidence import Pair, ShadowTerms
from support.deadline import soon
from support.scripted_server import Behaviour, Received, ScriptedServer, reply
from support.topologies import topology

TERMS = ShadowTerms(share=1.0)
GOOD = Pair(stable_good=True, canary_good=True)
MARK = f"{FIELD}: {COUNTS_NOWHERE}\r\n"


@dataclass
class Gateway:
    """What the comparer needs of ``Traffic``; the scripted server is its listener. ``deaf``: it takes no orders."""

    topology: Topology
    deaf: bool = False

    async def set_copied(self, units: int) -> None:
        if self.deaf:
            raise ConnectionError
        self.topology = replace(self.topology, copied=units)


@dataclass
class Compared:
    comparer: Comparer
    port: CopiesPort
    gateway: Gateway
    server: ScriptedServer

    async def copy(self, prompt: str = "hello") -> None:
        """Deliver one copy, as Envoy does."""
        body = json.dumps({"model": "echo", "prompt": prompt}).encode()
        scope = {
            "type": "http",
            "method": "POST",
            "path": "/v1/completions",
            "raw_path": b"/v1/completions",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body, "more_body": False}

        async def send(_: object) -> None:
            """Nobody reads it."""

        await self.port(scope, receive, send)

    async def asked(self, requests: int) -> None:
        await soon(f"{requests} requests were made", lambda: len(self.server.posted) >= requests)


def comparing(behaviour: Behaviour, act: Callable[[Compared], Awaitable[None]]) -> None:
    """``act`` beside a comparer that runs."""

    async def run() -> None:
        with ScriptedServer(behaviour) as server:
            address = urlsplit(server.base_url)
            gateway = Gateway(replace(topology(), listen=Endpoint("127.0.0.1", address.port or 0)))
            port = CopiesPort()
            async with httpx.AsyncClient() as client:
                comparer = Comparer(cast("Traffic", gateway), port, client, "key")
                task = tasks.start(comparer.run(), name="comparer")
                try:
                    await act(Compared(comparer, port, gateway, server))
                finally:
                    await tasks.stop(task)

    asyncio.run(run())


def good(connection: socket.socket, _: Received) -> None:
    reply(connection, 200, {"choices": [{"text": "hello"}]}, headers=MARK)


def test_pairs_that_a_rollout_left_are_not_taken_for_the_next_ones() -> None:
    async def act(compared: Compared) -> None:
        await compared.comparer.begin("green", "blue", TERMS)
        await compared.copy()
        await soon("a pair was compared", lambda: compared.comparer._pairs == [GOOD])
        await compared.comparer.end()
        assert compared.comparer.take() == ()

    comparing(good, act)


def test_a_gateway_that_takes_no_orders_does_not_keep_the_old_pairs_alive() -> None:
    async def act(compared: Compared) -> None:
        await compared.comparer.begin("green", "blue", TERMS)
        await compared.copy()
        await soon("a pair was compared", lambda: compared.comparer._pairs == [GOOD])
        compared.gateway.deaf = True
        with pytest.raises(ConnectionError):
            await compared.comparer.end()
        assert compared.comparer.is_on  # so that it is told again
        await compared.copy()
        assert compared.port._waiting.empty()
        assert compared.comparer.take() == ()

    comparing(good, act)


def test_a_connection_that_the_gateway_closes_without_an_answer_says_nothing_of_the_canary() -> None:
    def closing(connection: socket.socket, received: Received) -> None:
        if received.headers[PIN_HEADER] == "green" and received.body["prompt"] == "closed":
            connection.shutdown(socket.SHUT_RDWR)
        else:
            good(connection, received)

    async def act(compared: Compared) -> None:
        await compared.comparer.begin("green", "blue", TERMS)
        await compared.copy("closed")
        await compared.asked(2)
        await compared.copy()
        await soon("the second pair was compared", lambda: compared.comparer._pairs != [])
        assert compared.comparer.take() == (GOOD,)

    comparing(closing, act)


def test_an_answer_that_breaks_off_is_a_bad_one() -> None:
    def breaking(connection: socket.socket, received: Received) -> None:
        if received.headers[PIN_HEADER] == "green":
            connection.sendall(f"HTTP/1.1 200 X\r\ncontent-length: 500\r\n{MARK}\r\n{{".encode())
            connection.shutdown(socket.SHUT_RDWR)
        else:
            good(connection, received)

    async def act(compared: Compared) -> None:
        await compared.comparer.begin("green", "blue", TERMS)
        await compared.copy()
        await soon("a pair was compared", lambda: compared.comparer._pairs != [])
        assert compared.comparer.take() == (Pair(stable_good=True, canary_good=False),)

    comparing(breaking, act)
