"""Streams over real sockets: what a client sees, and what the server notices."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Iterator
from typing import Any

import msgspec
import pytest

from podium.api.app import create_app
from podium.config.server import RequestLimits, Server
from podium.core.batch import StoredFile
from podium.core.errors import EngineCrashed
from podium.core.generation import Chunk, GenerationRequest
from podium.core.identity import Principal
from podium.protocols.answer_report import AnswerReport
from support.deadline import until
from support.http_doubles import FakeBatches, FakeDispatcher, FakeObserver, fake_backend, story
from support.http_server import RunningServer, post, read_to_end, read_until

CHUNKED_END = b"0\r\n\r\n"
STREAMS = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}], "stream": True},
    "/v1/completions": {"prompt": ["hi", "ho"], "stream": True},
    "/generate": {"prompt": "hi", "stream": True},
}


class Stage:
    """A server whose dispatcher a test can script."""

    def __init__(self) -> None:
        self.dispatcher = FakeDispatcher()
        self.observer = FakeObserver()
        self.limits = RequestLimits(stalled_reader_seconds=1.0)
        self.backend = fake_backend(
            dispatcher=self.dispatcher, observer=self.observer, server=Server(limits=self.limits)
        )


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def server(stage: Stage) -> Iterator[RunningServer]:
    with RunningServer(create_app(stage.backend), stage.limits) as running:
        yield running


def request_bytes(path: str, *extra: str) -> bytes:
    return post(path, json.dumps(STREAMS[path]).encode(), *extra)


def forever(request: GenerationRequest) -> list[Any]:
    return [*story(request)[:2], asyncio.Event()]


def flood(request: GenerationRequest) -> list[Chunk]:
    """More text than the buffers between here and a client can hold."""
    return [Chunk(0, "x" * 65536, token_count=1) for _ in range(100)] + story(request)


@pytest.mark.parametrize("path", STREAMS)
def test_a_good_stream_ends_with_the_last_chunk(path: str, server: RunningServer) -> None:
    with server.connect() as connection:
        connection.sendall(request_bytes(path, "connection: close"))
        received = read_to_end(connection)
    assert received.endswith(CHUNKED_END)
    assert b"transfer-encoding: chunked" in received
    assert b"event: done" in received if path == "/generate" else b"data: [DONE]\n\n" in received


@pytest.mark.parametrize("path", STREAMS)
def test_the_server_stops_working_when_the_client_hangs_up(path: str, stage: Stage, server: RunningServer) -> None:
    stage.dispatcher.script = forever
    with server.connect() as connection:
        connection.sendall(request_bytes(path))
        read_until(connection, b" sea")
    until("the record", lambda: stage.observer.records, seconds=2)
    assert stage.observer.records[0].outcome == "cancelled"
    assert all(generation.closed.is_set() for generation in stage.dispatcher.generations)


@pytest.mark.parametrize("streaming", [True, False])
@pytest.mark.parametrize("path", [*STREAMS, "/batch_generate"])
def test_hanging_up_in_the_queue_cancels_the_wait(
    path: str, streaming: object, stage: Stage, server: RunningServer
) -> None:
    stage.dispatcher.hold = asyncio.Event()
    body = {**STREAMS.get(path, {"prompts": ["a", "b"]}), "stream": streaming}
    with server.connect() as connection:
        connection.sendall(post(path, json.dumps(body).encode()))
        until("the request", lambda: stage.dispatcher.requests)
    until("the record", lambda: stage.observer.records, seconds=2)
    assert stage.observer.records[0].outcome == "cancelled"
    assert stage.dispatcher.cancelled == len(stage.dispatcher.requests)


@pytest.mark.parametrize("streaming", [True, False])
def test_hanging_up_with_a_further_request_sent_ahead_cancels_too(
    streaming: object, stage: Stage, server: RunningServer
) -> None:
    stage.dispatcher.hold = asyncio.Event()
    body = json.dumps({"prompt": "hi", "stream": streaming}).encode()
    with server.connect() as connection:
        connection.sendall(2 * post("/generate", body))
        until("the request", lambda: stage.dispatcher.requests)
    until("the record", lambda: stage.observer.records, seconds=5)
    assert {record.outcome for record in stage.observer.records} == {"cancelled"}
    assert stage.dispatcher.cancelled == len(stage.dispatcher.requests)


@pytest.mark.parametrize("path", STREAMS)
def test_a_broken_stream_carries_an_error_event(path: str, stage: Stage, server: RunningServer) -> None:
    stage.dispatcher.script = lambda request: [*story(request)[:2], EngineCrashed("The worker ended.")]
    with server.connect() as connection:
        connection.sendall(request_bytes(path, "connection: close"))
        received = read_to_end(connection)
    assert b'"error":{' in received
    assert b'"finish_reason":"' not in received


@pytest.mark.parametrize("path", STREAMS)
def test_a_client_that_does_not_read_is_dropped_without_a_proper_end(
    path: str, stage: Stage, server: RunningServer
) -> None:
    stage.dispatcher.script = flood
    with server.connect(receive_buffer_bytes=4096) as connection:
        connection.sendall(request_bytes(path))
        until("the record", lambda: stage.observer.records, seconds=5)
        assert stage.observer.records[0].outcome == "cancelled"
        assert stage.observer.records[0].error_code == "stalled_reader"
        until("its connection is gone, read or not", lambda: server.connections == 0, seconds=2)
        received = read_to_end(connection)
    assert not received.endswith(CHUNKED_END)
    assert all(generation.closed.is_set() for generation in stage.dispatcher.generations)


def test_an_answer_that_was_written_whole_and_is_not_read_is_dropped_like_a_stream(
    stage: Stage, server: RunningServer
) -> None:
    stage.dispatcher.script = flood
    with server.connect(receive_buffer_bytes=4096) as connection:
        connection.sendall(post("/generate", b'{"prompt": "hi"}'))
        until("the record", lambda: stage.observer.records)
        until("the connection is gone, read or not", lambda: server.connections == 0, seconds=10)
        assert len(read_to_end(connection)) < 65536 * 100


def test_the_end_of_a_stream_that_is_not_read_is_dropped_too(stage: Stage, server: RunningServer) -> None:
    """More than the kernel takes, and less than what makes the server wait: of some of these sizes."""
    sizes = range(8, 60, 3)
    stage.dispatcher.script = lambda request: [
        *(Chunk(0, "x" * 16384, token_count=1) for _ in range(request.sampling.max_tokens or 0)),
        *story(request),
    ]
    with contextlib.ExitStack() as connections:
        for size in sizes:
            connection = connections.enter_context(server.connect(receive_buffer_bytes=4096))
            body = json.dumps({"prompt": "hi", "max_new_tokens": size, "stream": True}).encode()
            connection.sendall(post("/generate", body, "connection: close"))
        until("the records", lambda: len(stage.observer.records) == len(sizes))
        assert {record.outcome for record in stage.observer.records} == {"ok", "cancelled"}
        until("those are gone whose end waits in the server", lambda: server.connections == 0, seconds=10)


def test_a_whole_answer_that_is_read_slowly_arrives(stage: Stage, server: RunningServer) -> None:
    stage.dispatcher.script = flood
    received = 0
    with server.connect(receive_buffer_bytes=4096) as connection:
        connection.sendall(post("/generate", b'{"prompt": "hi"}', "connection: close"))
        while piece := connection.recv(4096):
            received += len(piece)
    assert received > 65536 * 100


class LargeFile(FakeBatches):
    """More than the buffers between here and a client can hold."""

    def __init__(self) -> None:
        super().__init__()
        self.closed = 0

    async def content(self, caller: Principal, file_id: str) -> tuple[StoredFile, AsyncGenerator[bytes, None]]:
        async def pieces() -> AsyncGenerator[bytes, None]:
            try:
                for _ in range(100):
                    yield b"x" * 65536
            finally:
                self.closed += 1

        return msgspec.structs.replace(await self.file(caller, file_id), size_bytes=100 * 65536), pieces()


def test_a_download_that_nobody_reads_is_dropped_and_one_that_is_read_is_whole() -> None:
    limits, batches, observer = RequestLimits(stalled_reader_seconds=1.0), LargeFile(), FakeObserver()
    backend = fake_backend(batches=batches, observer=observer, server=Server(limits=limits))
    request = b"GET /v1/files/demo/content HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
    with RunningServer(create_app(backend), limits) as server:
        with server.connect(receive_buffer_bytes=4096) as connection:
            connection.sendall(request)
            assert read_to_end(connection).endswith(b"x" * 65536)
        with server.connect(receive_buffer_bytes=4096) as connection:
            connection.sendall(request)
            until("its file is closed", lambda: batches.closed == 2, seconds=5)
            until("the connection is gone", lambda: server.connections == 0, seconds=2)
    assert [(record.outcome, record.error_code) for record in observer.records] == [
        ("ok", None),
        ("cancelled", "stalled_reader"),
    ]


def test_a_slow_reader_that_keeps_reading_gets_everything(stage: Stage, server: RunningServer) -> None:
    stage.dispatcher.script = flood
    with server.connect(receive_buffer_bytes=4096) as connection:
        connection.sendall(request_bytes("/generate", "connection: close"))
        assert read_to_end(connection).endswith(CHUNKED_END)


def test_garbage_after_a_request_drops_the_stream_instead_of_writing_into_it(
    stage: Stage, server: RunningServer
) -> None:
    stage.dispatcher.script = forever
    with server.connect() as connection:
        connection.sendall(request_bytes("/generate"))
        received = read_until(connection, b" sea")
        connection.sendall(b"\x00garbage\r\n\r\n")
        received += read_to_end(connection)
    assert received.count(b"HTTP/1.1") == 1
    assert not received.endswith(CHUNKED_END)
    until("the record", lambda: stage.observer.records, seconds=2)


def test_one_connection_serves_many_requests(server: RunningServer) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(request_bytes("/generate"))
            assert b"event: done" in read_until(connection, CHUNKED_END)


def breaks(request: GenerationRequest) -> list[Any]:
    return [*story(request)[:2], EngineCrashed("The engine broke.")]


def silent(request: GenerationRequest) -> list[Any]:
    """An answer that ends at once and says nothing."""
    return [msgspec.structs.replace(story(request)[-1], text="", token_ids=(), token_count=0)]


@pytest.mark.parametrize("path", STREAMS)
@pytest.mark.parametrize(("script", "end"), [(story, "whole"), (breaks, "broken"), (silent, "empty")])
def test_who_asks_for_trailers_is_told_how_a_stream_ended(
    path: str, script: Any, end: str, stage: Stage, server: RunningServer
) -> None:
    stage.dispatcher.script = script
    with server.connect() as connection:
        connection.sendall(request_bytes(path, "connection: close", "te: trailers"))
        head, _, rest = read_to_end(connection).partition(b"\r\n\r\n")
    trailer = rest.rpartition(b"\r\n0\r\n")[2]
    name, _, value = trailer.removesuffix(b"\r\n\r\n").decode().partition(": ")
    report = AnswerReport.parse(value)
    assert report is not None
    assert (name, report.end) == ("x-podium-answer", end)
    assert b"x-podium-answer" not in head


def test_a_whole_answer_says_it_in_a_header_and_the_next_one_on_the_connection_is_unharmed(
    server: RunningServer,
) -> None:
    with server.connect() as connection:
        body = json.dumps({"prompt": "hi"}).encode()
        connection.sendall(post("/v1/completions", body, "te: trailers"))
        head, _, _ = read_until(connection, b"}}").partition(b"\r\n\r\n")
        assert b"x-podium-answer: whole; tokens=" in head
        connection.sendall(request_bytes("/generate", "te: trailers"))
        assert b"\r\n0\r\nx-podium-answer: whole; " in read_until(connection, b"seconds=")
        connection.sendall(request_bytes("/generate", "connection: close"))
        received = read_to_end(connection)
    assert received.endswith(CHUNKED_END)
    assert b"x-podium-answer" not in received
