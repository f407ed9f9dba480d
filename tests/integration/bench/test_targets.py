"""A target that is dead, lies, hangs or breaks off has a failure class, and the run ends."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from podium.bench.plan import Target, Timeouts
from podium.bench.record import Failure, Outcome, RequestRecord
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
