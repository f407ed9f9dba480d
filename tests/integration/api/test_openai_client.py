"""The official client against our server."""

from __future__ import annotations

from collections.abc import Iterator

import openai
import pytest

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, Overloaded, PodiumError, QuotaExhausted, RateLimited
from podium.core.generation import CacheControl, GenerationRequest
from podium.core.identity import LOCAL
from podium.core.standing import Standing
from support.http_doubles import FakeDispatcher, FakeGatekeeper, fake_backend, story
from support.http_server import RunningServer


@pytest.fixture
def dispatcher() -> FakeDispatcher:
    return FakeDispatcher()


@pytest.fixture
def client(dispatcher: FakeDispatcher) -> Iterator[openai.OpenAI]:
    with (
        RunningServer(
            create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"none": LOCAL})))
        ) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as opened,
    ):
        yield opened


def test_chat_is_read_whole_and_streamed(client: openai.OpenAI) -> None:
    whole = client.chat.completions.create(model="demo", messages=[{"role": "user", "content": "hi"}], logprobs=True)
    assert whole.choices[0].message.content == "The sea was calm."
    assert whole.usage is not None
    assert whole.usage.total_tokens == 6
    assert whole._request_id is not None
    stream = client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": "hi"}], stream=True, stream_options={"include_usage": True}
    )
    chunks = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices) == "The sea was calm."
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.completion_tokens == 5


def test_completions_and_models_are_read(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="demo", prompt=["a", "b"], n=2, logprobs=1, max_tokens=2)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert answer.choices[0].logprobs is not None
    assert [model.id for model in client.models.list()] == ["demo", "org/alias", "other/model"]
    assert client.models.retrieve("other/model").id == "other/model"


def test_embeddings_are_read_in_the_client_s_own_default_which_is_base64(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="demo", input=["a b", "c"])
    assert [item.embedding for item in answer.data] == [pytest.approx([n, n + 0.25, -1 / 3]) for n in (0, 1)]
    assert answer.usage.prompt_tokens == answer.usage.total_tokens == 3
    plain = client.embeddings.create(model="demo", input=[[1, 2], [3]], encoding_format="float")
    assert plain.data[1].embedding == pytest.approx([1, 1.25, -1 / 3])
    with pytest.raises(openai.BadRequestError) as refused:
        client.embeddings.create(model="demo", input=[])
    assert refused.value.param == "input"


def test_errors_become_the_client_s_own(client: openai.OpenAI, dispatcher: FakeDispatcher) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.completions.create(model="nope", prompt="x")
    assert missing.value.code == "model_not_found"
    assert missing.value.request_id is not None
    with pytest.raises(openai.BadRequestError) as invalid:
        client.completions.create(model="demo", prompt="x", n=99)
    assert invalid.value.param == "n"

    def full(_: GenerationRequest) -> PodiumError:
        return Overloaded("The queue is full.", retry_after_seconds=2.5)

    dispatcher.script = full
    with pytest.raises(openai.InternalServerError) as overloaded:
        client.completions.create(model="demo", prompt="x")
    assert overloaded.value.response.headers["retry-after"] == "3"


def test_a_stream_that_breaks_raises_in_the_client(client: openai.OpenAI, dispatcher: FakeDispatcher) -> None:
    dispatcher.script = lambda request: [*story(request)[:2], EngineCrashed("The worker ended.")]
    stream = client.completions.create(model="demo", prompt="x", stream=True)
    with pytest.raises(openai.APIError, match=r"The worker ended\."):
        list(stream)


def test_the_client_retries_what_a_retry_can_mend_and_nothing_else(
    client: openai.OpenAI, dispatcher: FakeDispatcher
) -> None:
    failures = iter([EngineCrashed("Gone.")])

    def once(request: GenerationRequest) -> object:
        return next(failures, None) or story(request)

    dispatcher.script = once  # type: ignore[assignment]
    patient = client.with_options(max_retries=2)
    assert patient.completions.create(model="demo", prompt="x").choices[0].text == "The sea was calm."
    assert len(dispatcher.requests) == 2


WINDOW = Standing("requests_per_minute", "key", 60, 0, 30.0, 60)


def test_a_rate_limit_becomes_the_client_s_own_and_is_retried_after_the_told_milliseconds(
    client: openai.OpenAI, dispatcher: FakeDispatcher
) -> None:
    failures = iter([RateLimited("Slow down.", retry_after_seconds=0.03, standings=(WINDOW,))] * 2)

    def twice(request: GenerationRequest) -> object:
        return next(failures, None) or story(request)

    dispatcher.script = twice  # type: ignore[assignment]
    with pytest.raises(openai.RateLimitError) as limited:
        client.completions.create(model="demo", prompt="x")
    assert limited.value.code == "rate_limit_exceeded"
    assert limited.value.response.headers["x-ratelimit-remaining-requests"] == "0"
    assert client.with_options(max_retries=1).completions.create(model="demo", prompt="x").choices
    assert len(dispatcher.requests) == 3


def test_a_used_up_quota_is_not_tried_again(client: openai.OpenAI, dispatcher: FakeDispatcher) -> None:
    dispatcher.script = lambda _: QuotaExhausted("Used up.", retry_after_seconds=9999.0, standings=(WINDOW,))
    with pytest.raises(openai.RateLimitError) as used_up:
        client.with_options(max_retries=5).completions.create(model="demo", prompt="x")
    assert used_up.value.code == "insufficient_quota"
    assert len(dispatcher.requests) == 1


def test_cache_wishes_and_idempotency_keys_are_sent_with_the_client_s_extras(
    client: openai.OpenAI, dispatcher: FakeDispatcher
) -> None:
    raw = client.completions.with_raw_response.create(
        model="demo",
        prompt="x",
        extra_headers={"Idempotency-Key": "k-1", "Cache-Control": "max-age=5"},
        extra_body={"cache": {"force": True}},
    )
    assert raw.headers["x-podium-cache"] == "miss"
    (request,) = dispatcher.requests
    assert request.idempotency_key == "k-1"
    assert request.cache == CacheControl(max_age_seconds=5.0, force=True)
