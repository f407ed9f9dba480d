"""A target that is dead, lies, hangs or breaks off has a failure class, and the run ends."""

from __future__ import annotations

import contextlib
import gzip
import json
import socket
import ssl
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from podium.bench.plan import Target, Timeouts
from podium.bench.record import Failure, Outcome, RequestRecord
from support.certificates import self_signed
from support.load_plans import plan_for, send
from support.scripted_server import (
    Received,
    ScriptedServer,
    begin_stream,
    end_stream,
    reply,
)
from support.scripted_server import send as send_frames
from support.tls_server import document, tls_server

PATIENT = Timeouts(connect=20.0, headers=20.0, stall=20.0, total=30.0)
IMPATIENT = Timeouts(connect=20.0, headers=0.4, stall=0.4, total=30.0)
HANGS = {Failure.HEADERS_TIMEOUT, Failure.STALLED}
TOKEN = {"choices": [{"index": 0, "text": " a", "finish_reason": None}]}
LAST = {"choices": [{"index": 0, "text": " a", "finish_reason": "length"}]}
USAGE = {"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}}
DONE = b"data: [DONE]\n\n"


def _one(url: str, timeouts: Timeouts = PATIENT, **target: object) -> RequestRecord:
    aim = Target(url=url, model="m", **target)  # type: ignore[arg-type]  # members of a target
    (record,) = send(plan_for(url, requests=1, users=1, timeouts=timeouts, target=aim)).records
    return record


def _answered(behaviour: Callable[[socket.socket], None], timeouts: Timeouts) -> RequestRecord:
    def answer(connection: socket.socket, _: Received) -> None:
        behaviour(connection)

    with ScriptedServer(answer) as server:
        return _one(server.base_url.removesuffix("/v1"), timeouts)


def _stream(*frames: object, end: bool = True) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        begin_stream(connection)
        send_frames(connection, *frames)
        if end:
            end_stream(connection)
        else:
            connection.close()

    return behave


def _status(status: int) -> Callable[[socket.socket], None]:
    return lambda connection: reply(connection, status, {"error": {"code": "why", "message": "Because."}})


def _half_open(connection: socket.socket) -> None:
    connection.recv(1)  # says nothing until the client gives up


def _slow_start(connection: socket.socket) -> None:
    begin_stream(connection)
    send_frames(connection, TOKEN)
    connection.recv(1)


CASES = [
    (_stream(TOKEN, LAST, USAGE, DONE), None),
    (_status(401), Failure.UNAUTHORIZED),
    (_status(404), Failure.CLIENT_ERROR),
    (_status(429), Failure.RATE_LIMITED),
    (_status(503), Failure.OVERLOADED),
    (_status(500), Failure.SERVER_ERROR),
    (_status(302), Failure.REDIRECT),
    (_stream(TOKEN, {"error": {"message": "out of memory"}}, DONE), Failure.IN_BAND_ERROR),
    (lambda connection: reply(connection, 200, {"error": {"message": "no"}}), Failure.IN_BAND_ERROR),
    (lambda connection: reply(connection, 200, {"choices": []}), Failure.MALFORMED),
    (_stream(TOKEN, b"data: {not json\n\n"), Failure.MALFORMED),
    (_stream(TOKEN, LAST, USAGE), Failure.TRUNCATED),
    (_stream(TOKEN, USAGE, DONE), Failure.TRUNCATED),
    (_stream(TOKEN, end=False), Failure.TRUNCATED),
    (_stream(TOKEN, LAST, DONE), Failure.NO_USAGE),
    (lambda connection: connection.close(), Failure.RESET),
    (lambda connection: connection.sendall(b"SSH-2.0-OpenSSH\r\n"), Failure.NOT_HTTP),
    (_half_open, Failure.HEADERS_TIMEOUT),
    (_slow_start, Failure.STALLED),
]


@pytest.mark.parametrize(("behaviour", "expected"), CASES, ids=[str(expected or "good") for _, expected in CASES])
def test_a_target_s_answer_has_its_class(behaviour: Callable[[socket.socket], None], expected: Failure | None) -> None:
    record = _answered(behaviour, IMPATIENT if expected in HANGS else PATIENT)
    assert record.failure == expected, record.detail
    assert record.outcome is (Outcome.OK if expected is None else Outcome.FAILED)


WHOLE: dict[str, Any] = {**USAGE, "choices": LAST["choices"]}


def _whole(answer: object, **target: Any) -> RequestRecord:
    with ScriptedServer(lambda connection, _: reply(connection, 200, answer)) as server:
        return _one(server.base_url.removesuffix("/v1"), **target)


def test_a_whole_answer_is_good_when_it_says_how_it_ended_and_what_it_used() -> None:
    unstreamed: dict[str, Any] = {"streamed": False}
    good = _whole(WHOLE, **unstreamed)
    assert (good.outcome, good.output_tokens_reported, good.finish_reason) == (Outcome.OK, 2, "length")
    assert (good.first_token_at, good.token_at) == (None, [])
    assert good.last_token_at == good.ended_at
    assert _whole({"error": {"message": "no"}}, **unstreamed).failure is Failure.IN_BAND_ERROR
    assert _whole({"choices": WHOLE["choices"]}, **unstreamed).failure is Failure.NO_USAGE
    assert _whole({**USAGE, "choices": [{"text": " a"}]}, **unstreamed).failure is Failure.TRUNCATED
    assert _whole([1], **unstreamed).failure is Failure.MALFORMED
    assert _whole({"data": [], "usage": {"prompt_tokens": 1}}, dialect="embeddings").failure is Failure.MALFORMED
    assert _whole({"outputs": [{"name": "x"}]}, dialect="infer").outcome is Outcome.OK


def test_a_whole_answer_that_is_cut_or_comes_as_a_stream_fails() -> None:
    def cut(connection: socket.socket, _: Received) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        connection.close()

    with ScriptedServer(cut) as server:
        assert _one(server.base_url.removesuffix("/v1"), streamed=False).failure is Failure.TRUNCATED
    with ScriptedServer(lambda connection, _: _stream(TOKEN, LAST, USAGE, DONE)(connection)) as server:
        streamed = _one(server.base_url.removesuffix("/v1"), streamed=False)
    assert (streamed.failure, streamed.detail[:15]) == (Failure.MALFORMED, "an event stream")


def _raw(head: bytes, *pieces: bytes) -> Callable[[socket.socket], None]:
    def behave(connection: socket.socket) -> None:
        connection.sendall(b"HTTP/1.1 " + head + b"\r\n\r\n")
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_RDWR)

    return behave


def test_a_stream_whose_length_nobody_told_ends_with_its_connection() -> None:
    events = [b"data: " + json.dumps(frame).encode() + b"\n\n" for frame in (TOKEN, LAST, USAGE)]
    head = b"200 OK\r\ncontent-type: text/event-stream"
    whole = _answered(_raw(head, *events, DONE), PATIENT)
    assert (whole.outcome, whole.frames, whole.output_tokens_reported) == (Outcome.OK, 2, 2)
    assert _answered(_raw(head, *events[:1]), PATIENT).failure is Failure.TRUNCATED
    told = _answered(_raw(head + b"\r\ncontent-length: 9999", *events, DONE), PATIENT)
    assert (told.failure, told.detail) == (Failure.TRUNCATED, "without the end of the body, after 2 token frames")


def test_an_encoded_body_and_a_page_of_a_proxy_are_named() -> None:
    encoded = _raw(b"200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip", gzip.compress(DONE))
    record = _answered(encoded, PATIENT)
    assert (record.failure, record.detail) == (
        Failure.MALFORMED,
        "the body is encoded (gzip), which nobody asked for",
    )
    page = _answered(_raw(b"502 Bad Gateway\r\ncontent-type: text/html", b"<html>nginx</html>"), PATIENT)
    assert (page.failure, page.detail) == (Failure.SERVER_ERROR, "status 502")


def test_nobody_there_and_no_such_name_are_told_apart() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert _one(f"http://127.0.0.1:{port}").failure is Failure.UNREACHABLE
    assert _one("http://no-such-host.invalid").failure is Failure.NAME_UNKNOWN


def test_a_certificate_that_is_not_trusted_is_a_tls_failure_until_it_is_named(tmp_path: Path) -> None:
    with tls_server(tmp_path, document(b"")) as server:  # it answers a POST with 501, which is enough to be through
        assert _one(server.url).failure is Failure.TLS
        assert _one(server.url, verify_tls=False).status == 501
        assert _one(server.url, ca_file=str(server.ca_file)).status == 501


def _tls_target(folder: Path, behave: Callable[[ssl.SSLSocket], None] | None) -> RequestRecord:
    """One request to a TLS target that a test scripts; None: it accepts the connection, and never says hello."""
    certificate, key = self_signed(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        over = threading.Event()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(OSError):
                connection.settimeout(20.0)
                if behave is None:
                    over.wait(20.0)
                else:
                    behave(context.wrap_socket(connection, server_side=True))

        thread = threading.Thread(target=serve, name="tls target")
        thread.start()
        try:
            url = f"https://127.0.0.1:{listener.getsockname()[1]}"
            connect = 0.5 if behave is None else 20.0
            timeouts = Timeouts(connect=connect, headers=20.0, stall=20.0, total=30.0)
            return _one(url, timeouts, ca_file=str(certificate))
        finally:
            over.set()
            thread.join()


def test_a_target_that_never_finishes_the_tls_handshake_is_a_connect_timeout(tmp_path: Path) -> None:
    assert _tls_target(tmp_path, None).failure is Failure.CONNECT_TIMEOUT


def test_a_tls_stream_that_breaks_off_is_truncated(tmp_path: Path) -> None:
    def behave(connection: ssl.SSLSocket) -> None:
        connection.recv(65536)
        begin_stream(connection)
        send_frames(connection, TOKEN)
        socket.socket(fileno=connection.detach()).close()  # without TLS's own goodbye

    record = _tls_target(tmp_path, behave)
    assert (record.failure, record.frames) == (Failure.TRUNCATED, 1)


def test_a_target_without_tls_at_an_https_address_is_a_tls_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as plain:

        def serve() -> None:
            with plain.accept()[0] as connection:
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                connection.recv(1)

        thread = threading.Thread(target=serve, name="plain target")
        thread.start()
        assert _one(f"https://127.0.0.1:{plain.getsockname()[1]}").failure is Failure.TLS
        thread.join()
