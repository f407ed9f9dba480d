"""Every route against every class of hostile request: a 4xx of one shape, no engine work, and life goes on."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest

from podium.api.app import create_app
from podium.api.errors import dialect_of
from podium.config.server import RequestLimits, Server
from support.asgi import call
from support.hostile import MALFORMED, WRONG_FIELDS, WRONG_SAMPLING
from support.http_doubles import FakeDispatcher, fake_backend
from support.http_routes import body_paths, concrete_paths
from support.http_server import RunningServer, post, read_to_end, read_until

BODY_PATHS = body_paths()
GENERATING = ["/generate", "/batch_generate", "/v1/chat/completions", "/v1/completions"]
OPTIONAL = [
    "/models/demo/load",
    "/models/demo/unload",
    "/v2/repository/index",
    "/v2/repository/models/demo/load",
    "/v2/repository/models/demo/unload",
]
ABSENT_IS_FINE = {(path, "nothing") for path in OPTIONAL}


SHAPES = {
    "openai": ({"error"}, {"message", "type", "param", "code"}),
    "native": ({"error"}, {"code", "message", "param", "request_id", "retryable"}),
    "anthropic": ({"error", "type", "request_id"}, {"message", "type"}),
    "ollama": ({"error"}, set()),
    "inference": ({"error"}, set()),
    "hugging_face": ({"error", "error_type"}, set()),
}


def check_shape(path: str, status: int, body: dict[str, Any]) -> None:
    assert 400 <= status < 500, (status, body)
    around, members = SHAPES[dialect_of(path)]
    assert set(body) == around
    if not members:
        assert len(body["error"]) < 300
        return
    assert set(body["error"]) == members
    assert len(body["error"]["message"]) < 300


@pytest.mark.parametrize(
    ("path", "name"),
    [(path, name) for path in BODY_PATHS for name in MALFORMED if (path, name) not in ABSENT_IS_FINE],
)
def test_malformed_json_is_refused(path: str, name: str) -> None:
    dispatcher = FakeDispatcher()
    answer = call(create_app(fake_backend(dispatcher=dispatcher)), "POST", path, MALFORMED[name])
    check_shape(path, answer.status, answer.json)
    assert answer.raised is None
    assert not dispatcher.requests
    assert not dispatcher.models.calls


@pytest.mark.parametrize("name", WRONG_FIELDS)
@pytest.mark.parametrize("path", [path for path in BODY_PATHS if path not in OPTIONAL])
def test_wrong_fields_are_refused_before_any_engine_work(path: str, name: str) -> None:
    dispatcher = FakeDispatcher()
    answer = call(create_app(fake_backend(dispatcher=dispatcher)), "POST", path, WRONG_FIELDS[name])
    if answer.status == 200:  # what is wrong for one route may be right for another
        assert (path.rsplit("/", 1)[-1], name) in {
            ("tokenize", "empty lists"), ("detokenize", "empty lists"),
        }, answer.body  # fmt: skip
        return
    check_shape(path, answer.status, answer.json)
    assert not dispatcher.requests


@pytest.mark.parametrize("name", WRONG_SAMPLING)
@pytest.mark.parametrize("path", GENERATING)
def test_wrong_sampling_is_refused_before_any_engine_work(path: str, name: str) -> None:
    dispatcher = FakeDispatcher()
    answer = call(create_app(fake_backend(dispatcher=dispatcher)), "POST", path, WRONG_SAMPLING[name])
    check_shape(path, answer.status, answer.json)
    assert not dispatcher.requests


FRAMING: dict[str, bytes] = {
    "two lengths": b"POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n{}",
    "length and chunks": b"POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"POST /generate HTTP/1.1\nhost: a\ncontent-length: 2\n\n{}",
    "a negative length": b"POST /generate HTTP/1.1\r\nhost: a\r\ncontent-length: -1\r\n\r\n",
    "a bad chunk size": b"POST /generate HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    "no version": b"POST /generate\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 64,
    "a NUL in a header": b"GET /version HTTP/1.1\r\nhost: a\r\nx: \x00\r\n\r\n",
    "a blank before the colon": b"GET /version HTTP/1.1\r\nhost : a\r\n\r\n",
    "no host": b"GET /version HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /version HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
    "a header of 1 MB": b"GET /version HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 1_000_000 + b"\r\n\r\n",
    "10000 headers": b"GET /version HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
    "an endless chunk extension": b"POST /generate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n1;" + b"x" * 20_000_000,
    "a huge trailer": b"POST /generate HTTP/1.1\r\nhost: a\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n0\r\nx: " + b"x" * 20_000_000 + b"\r\n\r\n",
}


@pytest.fixture(scope="module")
def server() -> Any:
    limits = RequestLimits(header_seconds=0.5, body_seconds=0.5)
    with RunningServer(create_app(fake_backend(server=Server(limits=limits))), limits) as running:
        yield running


def send_all(connection: socket.socket, data: bytes) -> None:
    """Send as much as the server takes."""
    with contextlib.suppress(ConnectionResetError, BrokenPipeError):
        connection.sendall(data)


def assert_refused(received: bytes) -> None:
    """A 4xx of our shape, or a closed connection; never a 2xx, never a 5xx."""
    if received:
        head, _, body = received.partition(b"\r\n\r\n")
        assert head.split()[1][:1] == b"4", head
        assert set(json.loads(body)) == {"error"}
        assert b"x-request-id" in head.lower()


def assert_alive(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(post("/generate", b'{"prompt": "x", "max_new_tokens": 5}', "connection: close"))
        assert b"The sea was calm." in read_to_end(connection)


@pytest.mark.parametrize("name", FRAMING)
def test_broken_framing_is_refused_or_the_connection_is_closed(name: str, server: RunningServer) -> None:
    with server.connect() as connection:
        send_all(connection, FRAMING[name])
        assert_refused(read_to_end(connection) if name not in KEPT_OPEN else read_until(connection, b"}}"))
    assert_alive(server)


CHUNKED_HEAD = (
    b"POST /generate HTTP/1.1\r\nhost: a\r\nconnection: close\r\ncontent-type: application/json\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)
KEPT_OPEN = ["no host", "two hosts", "10000 headers"]


@pytest.mark.parametrize(
    "start",
    [b"", b"GET /version HT", b"GET /version HTTP/1.1\r\nhost: a\r\n", post("/generate", b"{")[:-1] + b"",
     post("/generate", b'{"prompt": "x"}')[:-1]],
)  # fmt: skip
def test_half_a_request_is_ended_by_a_deadline(start: bytes, server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(start)
        assert_refused(read_to_end(connection))
    assert_alive(server)


@pytest.fixture(scope="module")
def patient_server() -> Any:
    """Its deadlines are longer than a test, so that only the limits on bytes can end a request."""
    limits = RequestLimits(header_seconds=60, body_seconds=60)
    with RunningServer(create_app(fake_backend(server=Server(limits=limits))), limits) as running:
        yield running


def test_headers_without_an_end_are_refused_by_their_size(patient_server: RunningServer) -> None:
    with patient_server.connect() as connection:
        send_all(connection, b"GET /version HTTP/1.1\r\nhost: a\r\nx: " + b"x" * 300_000)
        assert b" 431 " in read_to_end(connection)


@pytest.mark.parametrize("name", ["an endless chunk extension", "a huge trailer"])
def test_bytes_around_a_body_are_bounded_too(name: str, patient_server: RunningServer) -> None:
    with patient_server.connect() as connection:
        send_all(connection, FRAMING[name])
        assert_refused(read_to_end(connection))
    assert_alive(patient_server)


def test_a_trickled_header_does_not_extend_its_deadline(server: RunningServer) -> None:
    with server.connect() as connection:
        connection.settimeout(0.05)
        received = b""
        for byte in b"GET /version HTTP/1.1\r\nhost: a\r\n" + b"x: y\r\n" * 100:
            try:
                connection.sendall(bytes([byte]))
                received = connection.recv(4096)
                break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
        else:
            pytest.fail("the server waited for ever")
    assert_refused(received)


def test_a_body_of_64_mib_without_a_length_is_refused_while_it_arrives(server: RunningServer) -> None:
    head = CHUNKED_HEAD
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    with server.connect() as connection:
        send_all(connection, head + chunk * 1024)
        received = read_to_end(connection)
    assert_refused(received)
    assert_alive(server)


def test_an_excess_body_still_gets_its_413(server: RunningServer) -> None:
    with server.connect() as connection:
        send_all(connection, post("/generate", b"x" * 4_000_000))
        received = read_to_end(connection)
    assert b" 413 " in received.splitlines()[0]
    assert b"connection: close" in received


def test_a_body_in_one_byte_chunks_is_taken(server: RunningServer) -> None:
    body = b'{"prompt": "x", "max_new_tokens": 5}'
    head = CHUNKED_HEAD
    with server.connect() as connection:
        connection.sendall(head + b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n")
        assert b"The sea was calm." in read_to_end(connection)


@pytest.mark.parametrize("path", concrete_paths())
def test_a_body_where_none_belongs_does_no_harm(path: str, server: RunningServer) -> None:
    request = b"GET %s HTTP/1.1\r\nhost: a\r\ncontent-length: 3\r\nconnection: close\r\n\r\nxxx" % path.encode()
    with server.connect() as connection:
        connection.sendall(request)
        received = read_to_end(connection)
    assert received.split()[1] in (b"200", b"405")


@pytest.mark.parametrize(
    "target", [b"/../etc/passwd", b"/%2e%2e/etc/passwd", b"/v1/models/%00", b"http://evil/version", b"/\xff", b"*"]
)
def test_odd_targets_reach_nothing(target: bytes, server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")
        received = read_to_end(connection)
    if target == b"http://evil/version":
        assert received.split()[1] == b"200"  # the absolute form of our own path; its authority is not looked at
    else:
        assert_refused(received)
