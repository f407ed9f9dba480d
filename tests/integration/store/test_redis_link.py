"""The link to a real Redis that is well."""

from __future__ import annotations

import asyncio
import datetime as dt
import ipaddress
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil
import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from podium.config.redis import Redis
from podium.store.link import RedisLink, StoreCalls, StoreRefused, StoreUnavailable
from support.deadline import until
from support.ports import free_port
from support.redis import RedisServer, redis_server

PATIENT = 5.0


@asynccontextmanager
async def _calls(url: str, **settings: object) -> AsyncIterator[StoreCalls]:
    link = RedisLink(Redis.model_validate({"url": url, **settings}))
    try:
        yield link.for_purpose("test")
    finally:
        await link.aclose()


def test_answers_come_in_the_kind_that_they_have() -> None:
    async def main(server: RedisServer) -> None:
        async with _calls(server.url, call_seconds=PATIENT) as calls:
            assert await calls.call("SET", "text", "value") == b"OK"
            assert await calls.call("SET", "text", "other", "NX") is None
            assert await calls.call("GET", "text") == b"value"
            assert await calls.call("GET", "nothing") is None
            assert await calls.call("HSET", "hash", "a", 1, "b", 2.5) == 2
            assert await calls.call("HGETALL", "hash") == {b"a": b"1", b"b": b"2.5"}
            assert await calls.call("HMGET", "hash", "a", "c") == [b"1", None]
            assert await calls.call("RPUSH", "list", "x", "y") == 2
            assert await calls.call("LRANGE", "list", 0, -1) == [b"x", b"y"]
            assert (await calls.call("SCAN", 0))[0] == b"0"
            assert b"redis_version" in await calls.call("INFO", "server")
            assert await calls.call("SET", "big", b"\x00\r\n" * 1_000_000) == b"OK"
            assert await calls.call("GET", "big") == b"\x00\r\n" * 1_000_000

    with redis_server() as server:
        uvloop.run(main(server))


def test_several_commands_are_one_round_trip_and_a_refused_one_is_told() -> None:
    async def main(server: RedisServer) -> None:
        async with _calls(server.url, call_seconds=PATIENT) as calls:
            assert await calls.calls([]) == []
            assert await calls.calls([("SET", "a", 1), ("INCR", "a"), ("GET", "a")]) == [b"OK", 2, b"2"]
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await calls.calls([("INCR", "a"), ("LPUSH", "a", "x"), ("INCR", "a")])
            assert await calls.call("GET", "a") == b"4"

    with redis_server() as server:
        uvloop.run(main(server))


def test_of_a_transaction_that_is_not_well_formed_nothing_is_done() -> None:
    async def main(server: RedisServer) -> None:
        async with _calls(server.url, call_seconds=PATIENT) as calls:
            assert await calls.calls([("SET", "a", 1), ("INCR", "a")], transaction=True) == [b"OK", 2]
            with pytest.raises(StoreRefused, match="ERR"):
                await calls.calls([("INCR", "a"), ("NOSUCH", "a")], transaction=True)
            assert await calls.call("GET", "a") == b"2"
            with pytest.raises(StoreRefused, match="WRONGTYPE"):
                await calls.calls([("INCR", "a"), ("LPUSH", "a", "x")], transaction=True)

    with redis_server() as server:
        uvloop.run(main(server))


def test_a_loop_that_is_blocked_again_and_again_does_not_blame_the_server() -> None:
    async def main(server: RedisServer) -> None:
        async with _calls(server.url) as calls:
            await calls.call("SET", "key", "value", seconds=PATIENT)
            loop = asyncio.get_running_loop()
            for number in range(20):
                loop.call_later(0.001 * (number % 4), time.sleep, 0.1)
                await asyncio.gather(*(_is_value(calls) for _ in range(4)))
            assert (calls.state, calls.failures) == ("closed", 0)

    with redis_server() as server:
        uvloop.run(main(server))


async def _is_value(calls: StoreCalls) -> None:
    for _ in range(3):
        assert await calls.call("GET", "key") == b"value"
        await asyncio.sleep(0.001)


def test_a_burst_on_few_connections_is_served_or_refused_in_time_and_does_not_blame_the_server() -> None:
    async def main(server: RedisServer) -> None:
        async with _calls(server.url, max_connections=2) as calls:
            await calls.call("SET", "key", "value", seconds=PATIENT)
            answers = await asyncio.gather(*(calls.call("GET", "key") for _ in range(5000)), return_exceptions=True)
            assert {answer for answer in answers if isinstance(answer, bytes)} == {b"value"}
            assert {type(answer) for answer in answers} <= {bytes, StoreUnavailable}
            assert calls.state == "closed"
            assert await calls.call("GET", "key", seconds=PATIENT) == b"value"
            with server.client() as client:
                assert len(client.client_list()) <= 2 + 1  # that client's own

    with redis_server() as server:
        uvloop.run(main(server))


def test_after_closing_nothing_is_left_and_calls_fail_at_once() -> None:
    async def main(server: RedisServer) -> None:
        before = len(psutil.Process().net_connections(kind="tcp"))
        link = RedisLink(Redis(url=server.url))
        calls = link.for_purpose("test")
        async with asyncio.TaskGroup() as group:
            for _ in range(10):
                group.create_task(calls.call("GET", "key", seconds=PATIENT))
        server.freeze()
        under_way = [asyncio.get_running_loop().create_task(calls.call("GET", "key", seconds=60)) for _ in range(3)]
        await asyncio.sleep(0)
        await link.aclose()
        await link.aclose()
        for task in under_way:
            with pytest.raises(StoreUnavailable):
                await task
        for _ in range(5):
            with pytest.raises(StoreUnavailable):
                await calls.call("GET", "key")
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(psutil.Process().net_connections(kind="tcp")) == before

    with redis_server() as server:
        uvloop.run(main(server))


def test_after_failures_of_every_kind_no_task_and_no_socket_is_left() -> None:
    async def main(server: RedisServer) -> None:
        before = len(psutil.Process().net_connections(kind="tcp"))
        async with _calls(server.url, call_seconds=0.005, connect_seconds=0.01) as calls:
            for _ in range(2):
                await calls.call("GET", "key", seconds=PATIENT)
                server.freeze()
                await asyncio.gather(*(calls.call("GET", "key") for _ in range(50)), return_exceptions=True)
                assert calls.state == "open"
                server.thaw()
                await asyncio.to_thread(until, "it is used again", lambda: calls.state == "closed")
            assert len(psutil.Process().net_connections(kind="tcp")) <= before + 32
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert len(psutil.Process().net_connections(kind="tcp")) == before

    with redis_server() as server:
        uvloop.run(main(server))
        with server.client() as client:
            until("Redis sees no client but this", lambda: len(client.client_list()) == 1)


def test_a_socket_file_and_another_database_are_spoken_to(tmp_path: Path) -> None:
    async def main(server: RedisServer) -> None:
        async with _calls(f"unix://{tmp_path}/redis.sock", call_seconds=PATIENT) as calls:
            assert await calls.call("SET", "where", "here") == b"OK"
        async with _calls(f"redis://127.0.0.1:{server.port}/5", call_seconds=PATIENT) as calls:
            assert await calls.call("GET", "where") is None

    with redis_server("--unixsocket", f"{tmp_path}/redis.sock") as server:
        uvloop.run(main(server))


def test_over_tls_the_server_must_show_a_certificate_that_is_trusted(tmp_path: Path) -> None:
    async def main(port: int) -> None:
        trusted = {"ca_file": str(tmp_path / "cert.pem"), "call_seconds": PATIENT, "connect_seconds": PATIENT}
        async with _calls(f"rediss://127.0.0.1:{port}/0", **trusted) as calls:
            assert await calls.call("SET", "key", "value") == b"OK"
        async with _calls(f"rediss://127.0.0.1:{port}/0", call_seconds=PATIENT) as calls:
            with pytest.raises(StoreUnavailable, match="SSLCertVerificationError"):
                await calls.call("GET", "key")

    _write_certificate(tmp_path)
    port = free_port()
    files = ("--tls-cert-file", f"{tmp_path}/cert.pem", "--tls-key-file", f"{tmp_path}/key.pem")
    with redis_server("--tls-port", str(port), *files, "--tls-auth-clients", "no"):
        uvloop.run(main(port))


def _write_certificate(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "test")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
    (folder / "key.pem").write_bytes(text)
