"""The official client of Anthropic against our server."""

from __future__ import annotations

from collections.abc import Iterator

import anthropic
import pytest

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, Overloaded, PodiumError, RateLimited
from podium.core.generation import GenerationRequest
from podium.core.identity import LOCAL
from support.http_doubles import WORDS, FakeDispatcher, FakeGatekeeper, fake_backend, story
from support.http_server import RunningServer

TURNS: list[anthropic.types.MessageParam] = [{"role": "user", "content": "hi"}]
TEXT = "The sea was calm."


@pytest.fixture
def dispatcher() -> FakeDispatcher:
    return FakeDispatcher()


@pytest.fixture
def client(dispatcher: FakeDispatcher) -> Iterator[anthropic.Anthropic]:
    backend = fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"none": LOCAL}))
    with (
        RunningServer(create_app(backend)) as server,
        anthropic.Anthropic(base_url=server.url, api_key="none", max_retries=0) as opened,
    ):
        yield opened


def test_a_message_is_read_whole(client: anthropic.Anthropic) -> None:
    answer = client.messages.create(
        model="demo", max_tokens=len(WORDS), messages=TURNS, system="be brief", stop_sequences=["never"]
    )
    assert isinstance(answer.content[0], anthropic.types.TextBlock)
    assert (answer.content[0].text, answer.stop_reason, answer.usage.output_tokens) == (TEXT, "max_tokens", len(WORDS))
    assert answer._request_id is not None


def test_a_message_is_streamed_and_put_together(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="demo", max_tokens=len(WORDS), messages=TURNS) as stream:
        assert "".join(stream.text_stream) == TEXT
        final = stream.get_final_message()
    assert (final.stop_reason, final.usage.output_tokens) == ("max_tokens", len(WORDS))


def test_tokens_are_counted(client: anthropic.Anthropic) -> None:
    assert client.messages.count_tokens(model="demo", messages=TURNS).input_tokens == 3


def test_models_are_listed_and_described(client: anthropic.Anthropic) -> None:
    listed = list(client.models.list())
    assert [model.id for model in listed] == ["demo", "org/alias", "other/model"]
    assert client.models.retrieve("demo") == listed[0]
    with pytest.raises(anthropic.NotFoundError):
        client.models.retrieve("nope")


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RateLimited("Slow.", retry_after_seconds=1.0), anthropic.RateLimitError),
        (Overloaded("Full.", retry_after_seconds=1.0), anthropic.InternalServerError),
        (EngineCrashed("Gone."), anthropic.InternalServerError),
    ],
)
def test_errors_are_the_client_s_own_kinds(
    client: anthropic.Anthropic, dispatcher: FakeDispatcher, failure: PodiumError, kind: type[anthropic.APIStatusError]
) -> None:
    dispatcher.script = lambda _: failure
    with pytest.raises(kind, match=failure.message) as caught:
        client.messages.create(model="demo", max_tokens=5, messages=TURNS)
    assert caught.value.request_id is not None


def test_what_is_not_done_is_a_bad_request(client: anthropic.Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match="tools"):
        client.messages.create(
            model="demo", max_tokens=5, messages=TURNS, tools=[{"name": "web_search", "type": "web_search_20250305"}]
        )
    with pytest.raises(anthropic.NotFoundError):
        client.messages.create(model="nope", max_tokens=5, messages=TURNS)


def test_a_stream_that_breaks_raises_and_is_never_taken_for_whole(
    client: anthropic.Anthropic, dispatcher: FakeDispatcher
) -> None:
    def broken(request: GenerationRequest) -> list[object]:
        return [*story(request)[:2], EngineCrashed("Gone.")]

    dispatcher.script = broken  # type: ignore[assignment]
    with (
        pytest.raises(anthropic.APIStatusError, match="Gone"),
        client.messages.stream(model="demo", max_tokens=len(WORDS), messages=TURNS) as stream,
    ):
        stream.get_final_message()
