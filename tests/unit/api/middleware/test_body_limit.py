"""Bodies while they arrive."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from podium.api.app import create_app
from podium.api.middleware.body_limit import BodyLimit, Bounds
from podium.api.refusals import BodyTimeout
from podium.config.server import RequestLimits, Server
from podium.core.errors import ClientDisconnected, PayloadTooLarge
from support.asgi import Answer, Client, call, exchange, scope_of
from support.http_doubles import FakeDispatcher, fake_backend

LIMIT = 4096


def app_with(dispatcher: FakeDispatcher | None = None, *, seconds: float = 30.0) -> object:
    server = Server(limits=RequestLimits(body_bytes=LIMIT, body_seconds=seconds))
    return create_app(fake_backend(server=server, dispatcher=dispatcher))


def send_pieces(pieces: Sequence[bytes], *headers: tuple[str, str]) -> Answer:
    given = [("host", "a"), ("content-type", "application/json"), *headers]
    return asyncio.run(exchange(app_with(), Client(pieces), scope_of("POST", "/generate", given)))  # type: ignore[arg-type]


def test_a_body_of_exactly_the_limit_is_taken() -> None:
    prompt = '{"prompt": "%s"}'
    body = (prompt % ("x" * (LIMIT - len(prompt) + 2))).encode()
    assert len(body) == LIMIT
    assert send_pieces([body], ("content-length", str(LIMIT))).status == 200


def test_one_byte_more_is_refused_while_it_arrives() -> None:
    answer = send_pieces([b"x" * LIMIT, b"x", b"never read"], ("transfer-encoding", "chunked"))
    assert answer.status == 413
    assert answer.headers["connection"] == "close"


def test_an_announced_excess_is_refused_before_a_byte_is_read() -> None:
    client = Client([b"x"] * 3)
    given = [("host", "a"), ("content-type", "application/json"), ("content-length", str(LIMIT + 1))]
    answer = asyncio.run(exchange(app_with(), client, scope_of("POST", "/generate", given)))  # type: ignore[arg-type]
    assert answer.status == 413


def test_a_body_in_one_byte_pieces_is_put_together() -> None:
    body = b'{"prompt": "hello"}'
    answer = send_pieces([bytes([byte]) for byte in body], ("transfer-encoding", "chunked"))
    assert answer.status == 200


def test_a_body_that_does_not_come_in_time_is_408() -> None:
    async def scenario() -> Answer:
        client = Client([b"{"])
        scope = scope_of(
            "POST", "/generate", [("host", "a"), ("content-type", "application/json"), ("content-length", "9")]
        )
        original = client.receive

        async def half_a_body() -> Message:
            message = await original()
            return {**message, "more_body": True}

        client.receive = half_a_body  # type: ignore[method-assign]
        return await exchange(app_with(seconds=0.05), client, scope)  # type: ignore[arg-type]

    answer = asyncio.run(scenario())
    assert answer.status == 408
    assert answer.headers["connection"] == "close"
    assert answer.json["error"]["code"] == "body_timeout"


def test_a_client_that_hangs_up_mid_body_raises_in_the_application() -> None:
    seen: list[BaseException] = []

    async def application(_: Scope, receive: Receive, __: Send) -> None:
        try:
            await receive()
        except ClientDisconnected as error:
            seen.append(error)

    async def hang_up() -> Message:
        return {"type": "http.disconnect"}

    async def nothing(_: Message) -> None: ...

    limit = BodyLimit(application, max_bytes=10, max_seconds=1)
    asyncio.run(limit(scope_of("POST", "/", [("content-length", "5")]), hang_up, nothing))
    assert len(seen) == 1


def test_a_refused_body_is_drained_so_that_the_answer_arrives() -> None:
    client = Client([b"x" * LIMIT] * 5)
    scope = scope_of(
        "POST", "/generate", [("host", "a"), ("content-type", "application/json"), ("transfer-encoding", "chunked")]
    )
    answer = asyncio.run(exchange(app_with(), client, scope))  # type: ignore[arg-type]
    assert answer.status == 413
    assert client._given == 5
    assert answer.complete


@pytest.mark.parametrize("length", ["9" * 30, "-1", "x", "1e3"])
def test_an_absurd_length_is_refused_or_not_trusted(length: str) -> None:
    assert send_pieces([b"x" * (LIMIT + 1)], ("content-length", length)).status == 413


def test_the_limit_holds_for_memory_not_only_for_the_verdict() -> None:
    taken = 0

    async def application(_: Scope, receive: Receive, __: Send) -> None:
        with pytest.raises(PayloadTooLarge):
            await receive()

    async def endless() -> Message:
        nonlocal taken
        taken += 1
        return {"type": "http.request", "body": b"x" * 100, "more_body": True}

    async def nothing(_: Message) -> None: ...

    limit = BodyLimit(application, max_bytes=1000, max_seconds=1)
    asyncio.run(limit(scope_of("POST", "/", [("transfer-encoding", "chunked")]), endless, nothing))
    assert taken == 11


def test_a_get_without_a_body_keeps_its_connection() -> None:
    answer = call(create_app(fake_backend()), "GET", "/version")
    assert "connection" not in answer.headers


async def keep_pieces(pieces: list[bytes], receive: Receive) -> None:
    while True:
        message = await receive()
        pieces.append(message["body"])
        if not message["more_body"]:
            return


def upload(client: Client, headers: Sequence[tuple[str, str]], *, method: str = "POST", seconds: float = 30.0) -> Any:
    """The pieces that an application gets, and what its ``receive`` raised."""
    pieces: list[bytes] = []
    uploads = {"/up": Bounds(10, seconds)}

    async def app(_: Scope, receive: Receive, __: Send) -> None:
        await keep_pieces(pieces, receive)

    limited = BodyLimit(app, max_bytes=4, max_seconds=30.0, uploads=uploads)
    answer = asyncio.run(exchange(limited, client, scope_of(method, "/up", headers)))
    return pieces, answer.raised


CHUNKED = (("transfer-encoding", "chunked"),)


def test_an_upload_comes_piece_by_piece_within_bounds_of_its_own() -> None:
    pieces, raised = upload(Client([b"12345", b"67890"]), CHUNKED)
    assert (pieces, raised) == ([b"12345", b"67890"], None)


def test_one_byte_more_than_an_upload_may_have_is_refused_while_it_arrives() -> None:
    pieces, raised = upload(Client([b"12345", b"67890", b"1"]), CHUNKED)
    assert isinstance(raised, PayloadTooLarge)
    assert pieces == [b"12345", b"67890"]
    assert isinstance(upload(Client([b"1"]), [("content-length", "11")])[1], PayloadTooLarge)


def test_an_upload_that_trickles_past_its_time_is_408() -> None:
    client = Client()

    async def receive() -> Message:
        await asyncio.sleep(0)
        return {"type": "http.request", "body": b"", "more_body": True}

    client.receive = receive  # type: ignore[method-assign]
    assert isinstance(upload(client, CHUNKED, seconds=0.05)[1], BodyTimeout)


def test_a_client_that_hangs_up_in_an_upload_leaves_no_end() -> None:
    client = Client()

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    client.receive = receive  # type: ignore[method-assign]
    assert isinstance(upload(client, CHUNKED)[1], ClientDisconnected)


def test_other_methods_on_an_uploads_path_have_the_usual_bounds() -> None:
    assert isinstance(upload(Client([b"12345"]), CHUNKED, method="PUT")[1], PayloadTooLarge)
