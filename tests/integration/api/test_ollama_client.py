"""The official client of Ollama against our server."""

from __future__ import annotations

from collections.abc import Iterator

import ollama
import pytest

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, Overloaded
from support.http_doubles import WORDS, FakeDispatcher, fake_backend, story
from support.http_server import RunningServer

TURNS = [{"role": "user", "content": "hi"}]
TEXT = "The sea was calm."
LIMIT = {"num_predict": len(WORDS)}


@pytest.fixture
def dispatcher() -> FakeDispatcher:
    return FakeDispatcher()


@pytest.fixture
def client(dispatcher: FakeDispatcher) -> Iterator[ollama.Client]:
    with (
        RunningServer(create_app(fake_backend(dispatcher=dispatcher))) as server,
        ollama.Client(host=server.url) as opened,
    ):
        yield opened


def test_chat_and_generate_are_read_whole_and_streamed(client: ollama.Client) -> None:
    whole = client.chat(model="demo", messages=TURNS, options=LIMIT)
    assert (whole.message.content, whole.done_reason, whole.eval_count) == (TEXT, "length", len(WORDS))
    pieces = list(client.chat(model="demo", messages=TURNS, options=LIMIT, stream=True))
    assert "".join(piece.message.content or "" for piece in pieces) == TEXT
    assert [piece.done for piece in pieces] == [False] * (len(pieces) - 1) + [True]
    assert client.generate(model="demo", prompt="hi", options=LIMIT).response == TEXT
    assert "".join(piece.response or "" for piece in client.generate("demo", "hi", options=LIMIT, stream=True)) == TEXT


def test_line_breaks_of_other_scripts_do_not_break_lines(client: ollama.Client, dispatcher: FakeDispatcher) -> None:
    """The client reads lines as ``str.splitlines`` does."""
    words = ("one\u2028", "two\x85", "three\u2029")
    dispatcher.script = lambda request: story(request, words)
    pieces = client.chat(model="demo", messages=TURNS, options={"num_predict": 3}, stream=True)
    assert "".join(piece.message.content or "" for piece in pieces) == "".join(words)


def test_models_and_embeddings_are_read(client: ollama.Client) -> None:
    assert "demo" in {model.model for model in client.list().models}
    assert "demo" in {model.model for model in client.ps().models}
    assert client.show("demo").capabilities == ["completion"]
    assert [list(row) for row in client.embed(model="demo", input=["a", "b"]).embeddings] == [
        pytest.approx([0.0, 0.25, -1 / 3]),
        pytest.approx([1.0, 1.25, -1 / 3]),
    ]


def test_errors_are_the_client_s_own(client: ollama.Client, dispatcher: FakeDispatcher) -> None:
    with pytest.raises(ollama.ResponseError, match="No model has that name") as caught:
        client.chat(model="nope", messages=TURNS)
    assert caught.value.status_code == 404
    dispatcher.script = lambda _: Overloaded("Full.", retry_after_seconds=1.0)
    with pytest.raises(ollama.ResponseError, match="Full") as refused:
        client.generate(model="demo", prompt="hi")
    assert refused.value.status_code == 503


def test_a_stream_that_breaks_raises_and_is_never_taken_for_whole(
    client: ollama.Client, dispatcher: FakeDispatcher
) -> None:
    dispatcher.script = lambda request: [*story(request)[:2], EngineCrashed("Gone.")]
    with pytest.raises(ollama.ResponseError, match="Gone"):
        list(client.chat(model="demo", messages=TURNS, options=LIMIT, stream=True))
