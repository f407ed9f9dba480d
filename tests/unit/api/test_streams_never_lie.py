"""A stream that broke never looks complete, whatever broke and wherever."""

from __future__ import annotations

import asyncio
import hashlib
import json
from typing import Any

import pytest
from starlette.types import ASGIApp

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, PodiumError
from podium.core.generation import Chunk, GenerationRequest
from support.asgi import JSON_HEADERS, Answer, Client, call, exchange, scope_of
from support.http_doubles import FakeDispatcher, FakeObserver, fake_backend, story

CHAT = {"messages": [{"role": "user", "content": "hi"}], "stream": True, "max_tokens": 5}
STREAMS: dict[str, tuple[str, dict[str, Any]]] = {
    "chat": ("/v1/chat/completions", CHAT),
    "chat with two choices": ("/v1/chat/completions", {**CHAT, "n": 2}),
    "chat with usage": ("/v1/chat/completions", {**CHAT, "stream_options": {"include_usage": True}}),
    "completions": ("/v1/completions", {"prompt": "hi", "stream": True, "max_tokens": 5}),
    "completions of three prompts": ("/v1/completions", {"prompt": ["a", "b", "c"], "stream": True, "max_tokens": 5}),
    "native": ("/generate", {"prompt": "hi", "stream": True, "max_new_tokens": 5}),
}
FAULTS: dict[str, BaseException] = {
    "an engine error": EngineCrashed("The worker ended."),
    "a bug": ZeroDivisionError("secret detail"),
}


def failing_at(k: int, fault: BaseException) -> Any:
    def script(request: GenerationRequest) -> list[Chunk | BaseException]:
        return [*story(request)[:k], fault]

    return script


def is_good_end(path: str, answer: Answer) -> bool:
    """What a careful client takes for complete."""
    if path == "/generate":
        return b"event: done\n" in answer.body
    finished = any(choice.get("finish_reason") for event in answer.data[:-1] for choice in event.get("choices", ()))
    errors = any("error" in event for event in answer.data if isinstance(event, dict))
    return finished and not errors and answer.data[-1] == "[DONE]"


@pytest.mark.parametrize("stream", STREAMS)
def test_a_fault_free_stream_has_a_good_end(stream: str) -> None:
    path, body = STREAMS[stream]
    answer = call(create_app(fake_backend()), "POST", path, body)
    assert (answer.status, answer.complete, answer.raised) == (200, True, None)
    assert is_good_end(path, answer)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        *STREAMS.values(),
        ("/v1/responses", {"input": "hi", "stream": True}),
        ("/v1/messages", {**CHAT, "model": "demo"}),
        ("/api/chat", {"model": "demo", "messages": CHAT["messages"]}),
        ("/hf/demo/generate_stream", {"inputs": "hi", "parameters": {"max_new_tokens": 3}}),
        ("/v2/models/demo/generate_stream", {"text_input": "hi"}),
    ],
)
def test_a_line_is_one_line_however_a_client_splits_them(path: str, body: dict[str, Any]) -> None:
    dispatcher = FakeDispatcher(lambda request: story(request, ("a\u2028", "b\x85", "c\u2029\r\n\x1c")))
    text = call(create_app(fake_backend(dispatcher=dispatcher)), "POST", path, body).body.decode()
    assert text.splitlines() == text.removesuffix("\n").split("\n")
    assert "\\u2028" in text


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("k", range(1, 5))
@pytest.mark.parametrize("stream", STREAMS)
def test_a_fault_at_token_k_ends_the_stream_with_an_error_event(stream: str, k: int, fault: str) -> None:
    path, body = STREAMS[stream]
    observer = FakeObserver()
    dispatcher = FakeDispatcher(failing_at(k, FAULTS[fault]))
    answer = call(create_app(fake_backend(dispatcher=dispatcher, observer=observer)), "POST", path, body)
    assert answer.status == 200
    assert not is_good_end(path, answer)
    assert b'"error":{' in answer.body
    assert answer.complete
    assert b"secret detail" not in answer.body
    assert [record.outcome for record in observer.records] == ["stream_error"]
    assert all(generation.closed.is_set() for generation in dispatcher.generations)


@pytest.mark.parametrize("k", range(1, 5))
@pytest.mark.parametrize("stream", STREAMS)
def test_an_engine_that_just_stops_is_an_error_too(stream: str, k: int) -> None:
    path, body = STREAMS[stream]
    app = create_app(fake_backend(lambda request: story(request)[:k]))
    answer = call(app, "POST", path, body)
    assert not is_good_end(path, answer)
    assert b'"error":{' in answer.body


@pytest.mark.parametrize("stream", STREAMS)
def test_an_error_event_that_cannot_be_written_leaves_the_connection_without_an_end(stream: str) -> None:
    path, body = STREAMS[stream]
    app = create_app(fake_backend(failing_at(2, EngineCrashed("The worker ended."))))

    async def refuse_errors(frame: bytes) -> None:
        if b'"error"' in frame:
            raise OSError("broken pipe")

    answer = asyncio.run(_exchange(app, path, body, on_frame=refuse_errors))
    assert answer.raised is not None
    assert not answer.complete


async def _exchange(app: ASGIApp, path: str, body: dict[str, Any], **options: Any) -> Answer:
    return await exchange(app, Client([json.dumps(body).encode()], **options), _scope(path))


def _scope(path: str) -> dict[str, Any]:
    return scope_of("POST", path, [*JSON_HEADERS, ("content-length", "1")])


@pytest.mark.parametrize("stream", STREAMS)
def test_before_the_first_token_an_error_is_a_status(stream: str) -> None:
    path, body = STREAMS[stream]

    def script(_: GenerationRequest) -> PodiumError:
        return EngineCrashed("The worker ended.")

    answer = call(create_app(fake_backend(script)), "POST", path, body)
    assert answer.status == 503
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("stream", STREAMS)
def test_headers_are_held_until_the_first_token(stream: str) -> None:
    path, body = STREAMS[stream]

    async def scenario() -> None:
        dispatcher = FakeDispatcher()
        dispatcher.hold = asyncio.Event()
        client = Client([json.dumps(body).encode()])
        app = create_app(fake_backend(dispatcher=dispatcher))
        async with asyncio.TaskGroup() as group:
            group.create_task(exchange(app, client, _scope(path)))
            await dispatcher.asked.wait()
            assert client.answer.status == 0
            dispatcher.hold.set()
        assert client.answer.status == 200

    asyncio.run(scenario())


@pytest.mark.parametrize("stream", STREAMS)
def test_hanging_up_mid_stream_closes_every_generation_at_once(stream: str) -> None:
    path, body = STREAMS[stream]

    async def scenario() -> tuple[FakeDispatcher, FakeObserver]:
        never = asyncio.Event()
        dispatcher = FakeDispatcher(lambda request: [*story(request)[:2], never])
        observer = FakeObserver()
        client = Client([json.dumps(body).encode()])
        app = create_app(fake_backend(dispatcher=dispatcher, observer=observer))
        async with asyncio.timeout(5), asyncio.TaskGroup() as group:
            group.create_task(exchange(app, client, _scope(path)))
            await client.first_frame.wait()
            client.gone.set()
        assert not client.answer.complete
        return dispatcher, observer

    dispatcher, observer = asyncio.run(scenario())
    assert all(generation.closed.is_set() for generation in dispatcher.generations)
    assert [record.outcome for record in observer.records] == ["cancelled"]


@pytest.mark.parametrize("stream", STREAMS)
def test_hanging_up_before_the_first_token_cancels_the_wait(stream: str) -> None:
    path, body = STREAMS[stream]
    for streaming in (True, False):
        dispatcher, observer = asyncio.run(
            _hang_up_while_queued(path, {**body, "stream": streaming, "stream_options": None})
        )
        assert dispatcher.cancelled == len(dispatcher.requests) > 0
        assert [record.outcome for record in observer.records] == ["cancelled"]


async def _hang_up_while_queued(path: str, body: dict[str, Any]) -> tuple[FakeDispatcher, FakeObserver]:
    dispatcher, observer = FakeDispatcher(), FakeObserver()
    dispatcher.hold = asyncio.Event()
    client = Client([json.dumps(body).encode()])
    app = create_app(fake_backend(dispatcher=dispatcher, observer=observer))
    async with asyncio.timeout(5), asyncio.TaskGroup() as group:
        group.create_task(exchange(app, client, _scope(path)))
        await dispatcher.asked.wait()
        client.gone.set()
    assert client.answer.status == 0
    return dispatcher, observer


@pytest.mark.parametrize("stream", STREAMS)
def test_there_is_one_event_to_a_flush(stream: str) -> None:
    path, body = STREAMS[stream]
    answer = call(create_app(fake_backend()), "POST", path, body)
    assert all(frame.endswith(b"\n\n") and frame.count(b"\n\n") == 1 for frame in answer.frames)


def test_native_event_ids_are_contiguous_and_the_digest_covers_the_text() -> None:
    answer = call(create_app(fake_backend()), "POST", *STREAMS["native"])
    ids = [line.removeprefix("id: ") for line in answer.body.decode().splitlines() if line.startswith("id: ")]
    request_id = answer.headers["x-request-id"]
    assert ids == [f"{request_id}:{number}" for number in range(6)]
    *tokens, done = answer.data
    text = "".join(token["text"] for token in tokens)
    assert done["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    assert done["token_count"] == 5
    assert done["events"] == 5
    assert done["usage"]["completion_tokens"] == 5


def test_if_one_of_several_prompts_fails_to_start_the_others_are_aborted() -> None:
    def script(request: GenerationRequest) -> Any:
        return EngineCrashed("Gone.") if request.id.endswith("-1") else story(request)

    for streaming in (True, False):
        dispatcher = FakeDispatcher(script)
        body = {"prompt": ["a", "b", "c"], "stream": streaming, "max_tokens": 5}
        answer = call(create_app(fake_backend(dispatcher=dispatcher)), "POST", "/v1/completions", body)
        assert answer.status == 503
        assert all(generation.closed.is_set() for generation in dispatcher.generations)
