"""The link to a server that says what Redis never would."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

import psutil
import pytest
import uvloop

from podium.config.redis import Redis
from podium.store.link import RedisLink, StoreCalls, StoreUnavailable
from support.deadline import until
from support.resp_server import Behaviour, RespServer, bulk

MIB = 1024**2
PATIENT = 5.0


@asynccontextmanager
async def _calls(server: RespServer, **settings: object) -> AsyncIterator[StoreCalls]:
    link = RedisLink(Redis.model_validate({"url": server.url, **settings}))
    try:
        yield link.for_purpose("test")
    finally:
        await link.aclose()


def _says(data: bytes) -> Behaviour:
    return lambda connection, _: connection.sendall(data)


@pytest.mark.parametrize(
    "said",
    [
        b"hello world\r\n",
        b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n",
        b"\x00\xff" * 100,
        b"*1073741824\r\n",
        b"$1073741824\r\n",
        b"$-7\r\n",
        b">2\r\n$7\r\nmessage\r\n$1\r\nx\r\n",
        b"+one\r\n+two\r\n",
    ],
)
def test_garbage_is_a_store_that_is_away_and_each_connection_that_spoke_it_is_closed(said: bytes) -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server, call_seconds=PATIENT) as calls:
            for _ in range(3):
                with pytest.raises(StoreUnavailable):
                    await calls.call("GET", "key")
            assert calls.state == "open"
            assert server.connections == 3
            await _until(lambda: server.hung_up == 3)

    with RespServer(_says(said)) as server:
        uvloop.run(main(server))


@pytest.mark.parametrize(
    "said", [b"hello\r\n", b"+OK\r\n", b"*0\r\n", b"%1\r\n$5\r\nproto\r\n:2\r\n", b"-ERR unknown\r\n"]
)
def test_a_server_that_does_not_greet_as_redis_does_is_not_used(said: bytes) -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server, call_seconds=PATIENT) as calls:
            with pytest.raises(StoreUnavailable):
                await calls.call("GET", "key")
            assert server.commands == []

    with RespServer(_says(b"$-1\r\n"), welcome=said) as server:
        uvloop.run(main(server))


@pytest.mark.parametrize(
    ("said", "answer"), [(b":7\r\n", 7), (b"*1\r\n:1\r\n", [1]), (b"%0\r\n", {}), (b"#t\r\n", True), (b"_\r\n", None)]
)
def test_an_answer_of_another_type_is_handed_on_for_the_caller_to_judge(said: bytes, answer: object) -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server, call_seconds=PATIENT) as calls:
            assert await calls.call("GET", "key") == answer

    with RespServer(_says(said)) as server:
        uvloop.run(main(server))


def test_something_else_than_the_answers_of_a_transaction_is_a_store_that_is_away() -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server, call_seconds=PATIENT) as calls:
            with pytest.raises(StoreUnavailable):
                await calls.calls([("INCR", "a"), ("INCR", "b")], transaction=True)

    with RespServer(_says(b"+OK\r\n")) as server:
        uvloop.run(main(server))


def test_half_an_answer_and_then_silence_ends_in_time_and_its_rest_is_nobodys() -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server) as calls:
            took = []
            for _ in range(2):
                begin = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    await calls.call("GET", "slow")
                took.append(time.monotonic() - begin)
            assert min(took) < 0.05
            rest.set()
            for _ in range(20):
                assert await calls.call("GET", "key", seconds=PATIENT) == b"key"

    def behaviour(connection: socket.socket, command: list[bytes]) -> None:
        if command[1] == b"slow":
            connection.sendall(b"$9\r\nsl")
            rest.wait(PATIENT)
            connection.sendall(b"ow rest\r\n" + bulk(b"stray") * 3)
        else:
            connection.sendall(bulk(command[1]))

    rest = threading.Event()
    with RespServer(behaviour) as server:
        uvloop.run(main(server))


def test_an_answer_without_end_is_left_in_time_with_bounded_memory() -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server) as calls:
            before = psutil.Process().memory_info().rss
            for _ in range(3):
                begin = time.monotonic()
                with pytest.raises(StoreUnavailable):
                    await calls.call("GET", "key", seconds=PATIENT)
                assert time.monotonic() - begin < PATIENT
            assert psutil.Process().memory_info().rss - before < 256 * MIB
            await _until(lambda: server.hung_up == 3)

    def behaviour(connection: socket.socket, _: list[bytes]) -> None:
        connection.sendall(b"*1000000\r\n")
        while True:
            connection.sendall(b"$65536\r\n" + b"x" * 65536 + b"\r\n")

    with RespServer(behaviour) as server:
        uvloop.run(main(server))


def test_an_answer_that_nobody_asked_for_ends_its_connection_and_is_given_to_nobody() -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server, call_seconds=PATIENT) as calls:
            for number in range(20):
                assert await calls.call("GET", f"key:{number}") == b"key:%d" % number
                said.clear()
                strays.release()
                await _until(said.is_set)
                await _until(partial(_has_hung_up, server, times=number + 1))
            assert (calls.state, calls.failures) == ("closed", 0)

    def behaviour(connection: socket.socket, command: list[bytes]) -> None:
        connection.sendall(bulk(command[1]))
        strays.acquire(timeout=PATIENT)
        connection.sendall(bulk(b"stray"))
        said.set()

    strays, said = threading.Semaphore(0), threading.Event()
    with RespServer(behaviour) as server:
        uvloop.run(main(server))


def test_connections_that_died_without_a_word_cost_one_call() -> None:
    """Such as after a failure of the network between: each of them looks open, and none ever answers."""

    async def main(server: RespServer) -> None:
        async with _calls(server) as calls:
            await asyncio.gather(*(calls.call("GET", "key", seconds=PATIENT) for _ in range(5)))
            assert len(seen) == server.connections == 5
            dead.update(seen)
            with pytest.raises(StoreUnavailable):
                await calls.call("GET", "key")
            for _ in range(5):
                assert await calls.call("GET", "key", seconds=PATIENT) == b"key"

    def behaviour(connection: socket.socket, command: list[bytes]) -> None:
        if connection not in seen and not dead:
            seen.add(connection)
            each_has_a_question.wait(PATIENT)
        if connection not in dead:
            connection.sendall(bulk(command[1]))

    each_has_a_question = threading.Barrier(5)
    seen: set[socket.socket] = set()
    dead: set[socket.socket] = set()
    with RespServer(behaviour) as server:
        uvloop.run(main(server))


def test_two_answers_to_one_question_are_none() -> None:
    async def main(server: RespServer) -> None:
        async with _calls(server, call_seconds=PATIENT) as calls:
            with pytest.raises(StoreUnavailable):
                await calls.call("GET", "key")

    with RespServer(_says(bulk(b"of another call") + bulk(b"of this call"))) as server:
        uvloop.run(main(server))


def _has_hung_up(server: RespServer, *, times: int) -> bool:
    return server.hung_up >= times


async def _until(condition: Callable[[], bool]) -> None:
    await asyncio.to_thread(until, "the server sees it", condition)
