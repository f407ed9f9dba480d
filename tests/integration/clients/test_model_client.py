"""``podium.client`` against a real server."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import pytest

from podium.client import AnswerBroken, ModelClient, Refused, Retries, SyncModelClient
from podium.testing.server_process import ECHO, ServerProcess, server_process

FAST = {"name": "fast", "source": "none", "engine": "echo"}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    with server_process(FAST, ECHO) as running:
        yield running


def test_the_three_calls_have_typed_answers(server: ServerProcess) -> None:
    with SyncModelClient(server.traffic) as client:
        assert client.health_check().models_loaded == ["fast", "echo"]
        generated = client.generate("fast", "Once upon", max_new_tokens=4, do_sample=False)
        assert (generated.generated_text, generated.finish_reason, generated.usage.completion_tokens) == (
            *("Once", "length"),
            4,
        )
        told: list[int] = []
        prompts = [f"prompt {number}" for number in range(70)]
        result = client.batch_generate(
            "fast", prompts, progress=lambda done, _: told.append(done), max_new_tokens=50, do_sample=False
        )
        assert [one.generated_text for one in result.results] == prompts
        assert told == [32, 64, 70]


def test_the_same_in_asyncio(server: ServerProcess) -> None:
    async def main() -> None:
        async with ModelClient(server.traffic) as client:
            assert (await client.health_check()).status == "healthy"
            assert (await client.generate("fast", "Once", do_sample=False)).generated_text == "Once"
            prompts = [f"prompt {number}" for number in range(70)]
            result = await client.batch_generate("fast", prompts, batch_size=10, concurrency=3, do_sample=False)
            assert [one.generated_text for one in result.results] == prompts
            async with client.stream("fast", "Once upon", do_sample=False) as stream:
                assert "".join([piece.text async for piece in stream]) == "Once upon"
            assert stream.end is not None
            assert stream.end.token_count == 10
            with pytest.raises(Refused) as caught:
                await client.generate("nope", "hi")
            assert (caught.value.code, caught.value.status) == ("model_not_found", 404)

    asyncio.run(main())


def test_a_stream_that_breaks_raises_and_never_looks_whole(server: ServerProcess) -> None:
    with SyncModelClient(server.traffic, retries=Retries(most=0)) as client:
        with client.stream("fast", "Once", do_sample=False) as stream:
            assert "".join(piece.text for piece in stream) == "Once"
        assert stream.end is not None
        with client.stream("echo", "xxxxxxxx fault:error@6") as stream, pytest.raises(Refused, match="told to fail"):
            list(stream)
        assert stream.end is None
    with (
        server_process() as other,
        SyncModelClient(other.traffic) as client,
        client.stream("echo", "x" * 200, max_new_tokens=200) as stream,
    ):
        pieces = iter(stream)
        next(pieces)
        other.process.kill()
        with pytest.raises((AnswerBroken, Refused)):
            list(pieces)


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = ("numpy", "openvino_genai", "fastapi", "starlette", "pydantic", "grpc", "tokenizers", "podium.api")
    program = f"import sys, podium.client; print([name for name in {heavy} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"
