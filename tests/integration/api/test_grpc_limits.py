"""What a connection over gRPC may hold of a server: the same as one over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import grpc
import grpc.aio
import pytest

from podium.api.app import create_app
from podium.api.inference.grpc_messages import MESSAGES
from podium.api.inference.grpc_service import MOST_CALLS, SERVICE, InferencePort
from podium.config.server import RequestLimits
from podium.core.generation import Chunk, GenerationRequest
from support.deadline import soon
from support.http_doubles import FakeDispatcher, FakeGeneration, FakeObserver, fake_backend, story
from support.on_loop import on_loop


class Stage:
    """A server, and calls to it; each channel is a connection of its own."""

    def __init__(self, address: str, dispatcher: FakeDispatcher, observer: FakeObserver) -> None:
        self.address = address
        self.dispatcher = dispatcher
        self.observer = observer

    def channel(self) -> grpc.aio.Channel:
        return grpc.aio.insecure_channel(self.address, options=[("grpc.use_local_subchannel_pool", 1)])


@asynccontextmanager
async def stage(**limits: Any) -> AsyncIterator[Stage]:
    dispatcher, observer = FakeDispatcher(), FakeObserver()
    app = create_app(fake_backend(dispatcher=dispatcher, observer=observer))
    async with InferencePort(app, "127.0.0.1", 0, host_name="localhost", limits=RequestLimits(**limits)) as port:
        yield Stage(port.address, dispatcher, observer)


def prompt() -> Any:
    message = MESSAGES["ModelInferRequest"](model_name="demo", id="mine")
    tensor = message.inputs.add(name="text_input", datatype="BYTES", shape=[1])
    tensor.contents.bytes_contents.append(b"hi")
    return message


def infer(channel: grpc.aio.Channel, **options: Any) -> Any:
    return channel.unary_unary(
        f"/{SERVICE}/ModelInfer",
        request_serializer=MESSAGES["ModelInferRequest"].SerializeToString,
        response_deserializer=MESSAGES["ModelInferResponse"].FromString,
    )(prompt(), **options)


async def stream(channel: grpc.aio.Channel) -> Any:
    """A stream of pieces, the first of which has come."""
    call = channel.stream_stream(
        f"/{SERVICE}/ModelStreamInfer",
        request_serializer=MESSAGES["ModelInferRequest"].SerializeToString,
        response_deserializer=MESSAGES["ModelStreamInferResponse"].FromString,
    )()
    await call.write(prompt())
    assert (await call.read()).infer_response.id == "mine"
    return call


def flood(request: GenerationRequest) -> list[Chunk]:
    """More text than lies between here and a client."""
    return [*(Chunk(0, "x" * 65536, token_count=1) for _ in range(400)), *story(request)]


def pauses(generation: FakeGeneration) -> Callable[[], bool]:
    """Whether nothing was taken from it for a while."""
    seen: list[int] = []

    def probe() -> bool:
        seen.append(generation.given)
        return len(seen) > 5 and len(set(seen[-5:])) == 1

    return probe


@on_loop
async def test_a_stream_that_nobody_reads_is_aborted_like_one_over_http() -> None:
    async with stage(stalled_reader_seconds=0.5) as there, there.channel() as channel:
        there.dispatcher.script = flood
        call = await stream(channel)
        await soon("the record", lambda: there.observer.records)
        (record,) = there.observer.records
        assert (record.outcome, record.error_code) == ("cancelled", "stalled_reader")
        assert there.dispatcher.generations[0].closed.is_set()
        call.cancel()


@on_loop
async def test_a_client_that_hangs_up_is_no_failure_of_the_server(capsys: pytest.CaptureFixture[str]) -> None:
    async with stage() as there:
        there.dispatcher.script = flood
        async with there.channel() as channel:
            await stream(channel)
            await soon("what is written waits for the client", pauses(there.dispatcher.generations[0]))
        await soon("the record", lambda: there.observer.records)
        (record,) = there.observer.records
        assert (record.outcome, record.error_code) in (("cancelled", None), ("cancelled", "client_disconnected"))
    assert "Traceback" not in capsys.readouterr().out


@on_loop
async def test_calls_beyond_what_a_connection_may_have_at_once_wait() -> None:
    async with stage() as there, there.channel() as crowded, there.channel() as other:
        await infer(crowded)  # a client knows how many it may have once it is connected
        there.dispatcher.requests.clear()
        there.dispatcher.hold = asyncio.Event()
        calls = [infer(crowded) for _ in range(MOST_CALLS + 20)]
        await soon("all that may run", lambda: len(there.dispatcher.requests) >= MOST_CALLS)
        calls.append(infer(other))
        await soon("another connection's", lambda: len(there.dispatcher.requests) > MOST_CALLS)
        assert len(there.dispatcher.requests) == MOST_CALLS + 1
        there.dispatcher.hold.set()
        answers = [await call for call in calls]
    assert {answer.model_name for answer in answers} == {"demo"}


@on_loop
async def test_metadata_is_bounded_like_headers() -> None:
    async with stage(header_bytes=32 * 1024) as there, there.channel() as channel:
        await infer(channel, metadata=[("x-long", "x" * 20_000)])
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await infer(channel, metadata=[("x-long", "x" * 40_000)])
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert len(there.dispatcher.requests) == 1
