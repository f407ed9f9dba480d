"""Scrapes over real sockets: replicas that answer, die, hang, flood and lie."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from podium.monitor.catalog import catalog_of
from podium.monitor.exposition import MOST_BYTES
from podium.monitor.fetching import SCRAPE_SECONDS, replica_target
from podium.monitor.target import Target
from support.ports import free_port

SERVED = b'podium_model_state{model="m",state="ready",version="1"} 1\n'
FLOOD_PIECES = 16 * MOST_BYTES // 65536
Behaviour = Callable[[socket.socket], None]


@contextmanager
def listening(behave: Behaviour) -> Iterator[str]:
    """A server that reads a request's first bytes and behaves; its address."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    connection.settimeout(10)
                    try:
                        connection.recv(65536)
                        behave(connection)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve, name="scraped")
        thread.start()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def scrape(address: str, times: int = 1) -> Target:
    """The target after so many scrapes."""

    async def run() -> Target:
        async with httpx.AsyncClient(trust_env=False, timeout=SCRAPE_SECONDS) as client:
            target = replica_target("blue-1", "blue", address, client=client, catalog=catalog_of(["blue"], ["m"]))
            for _ in range(times):
                await target.scrape()
            return target

    return asyncio.run(run())


def answers(body: bytes, status: int = 200, length: int | None = None) -> Behaviour:
    head = (
        f"HTTP/1.1 {status} X\r\ncontent-length: {len(body) if length is None else length}\r\nconnection: close\r\n\r\n"
    )
    return lambda connection: connection.sendall(head.encode() + body)


def hangs(connection: socket.socket) -> None:
    connection.recv(1)  # until the client gives up


def floods(connection: socket.socket) -> None:
    connection.sendall(b"HTTP/1.1 200 X\r\nconnection: close\r\n\r\n")
    for _ in range(FLOOD_PIECES):
        connection.sendall(b"#" * 65536)
    raise AssertionError("everything was read")


CASES: dict[str, tuple[Behaviour, str, str]] = {
    "well": (answers(SERVED), "up", ""),
    "hangs": (hangs, "stale", "does not answer"),
    "breaks off": (answers(SERVED, length=1000), "stale", "does not answer"),
    "garbage": (answers(b"<html>"), "garbage", "no exposition"),
    "empty": (answers(b""), "garbage", "no series"),
    "a flood": (floods, "garbage", "bytes"),
    "wants a key": (answers(b"", 401), "refused", "401"),
    "fails": (answers(b"", 500), "garbage", "500"),
    "sends elsewhere": (answers(b"", 302), "garbage", "302"),
}


@pytest.mark.parametrize("case", CASES)
def test_what_a_replica_does_is_what_it_is_called(case: str) -> None:
    behave, state, words = CASES[case]
    with listening(behave) as address:
        target = scrape(address)
    assert target.state == state
    assert words in target.problem


def test_a_replica_that_is_not_there_is_not_up() -> None:
    target = scrape(f"http://127.0.0.1:{free_port()}", times=2)
    assert target.state == "stale"
    assert "ConnectError" in target.problem
