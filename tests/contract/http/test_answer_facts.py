"""What an answer's headers tell of the cache and of the caller's quotas."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest

from podium.api.app import create_app
from podium.api.middleware.answer_facts import HEADERS
from podium.config.server import Server
from podium.core.errors import Overloaded, PodiumError, QuotaExhausted, RateLimited
from podium.core.generation import GenerationRequest, TextPrompt, Usage
from podium.core.standing import CacheStatus, Standing
from support.asgi import Answer, call
from support.generating_calls import CALLS, EVERY, SEVERAL, STREAMED, WHOLE
from support.http_doubles import FakeDispatcher, FakeGeneration, FakeObserver, fake_backend, story
from support.structured_fields import parse_list

EVERYWHERE = pytest.mark.parametrize("name", CALLS)
REQUESTS = Standing("requests_per_minute", "key", 60, 41, 19.2, 60)
TOKENS = Standing("tokens_per_day", "tenant", 100_000, 250, 40_000.0, 86_400)
RUNNING = Standing("concurrent_requests", "key", 4, 3, 0.0, 0)


def ask(name: str, dispatcher: FakeDispatcher, **options: Any) -> Answer:
    path, body = EVERY[name]
    return call(create_app(fake_backend(dispatcher=dispatcher)), "POST", path, body, **options)


def kept(status: CacheStatus, age_seconds: float | None = None, standings: Sequence[Standing] = ()) -> FakeDispatcher:
    """A dispatcher whose generations say this of themselves."""

    def dress(_: GenerationRequest, generation: FakeGeneration) -> None:
        generation.cache_status = status
        generation.age_seconds = age_seconds
        generation.standings = tuple(standings)

    return FakeDispatcher(dress=dress)


def facts(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name in HEADERS}


@EVERYWHERE
@pytest.mark.parametrize("status", ["miss", "attach", "bypass"])
def test_the_cache_status_is_told(name: str, status: CacheStatus) -> None:
    assert facts(ask(name, kept(status))) == {"x-podium-cache": status}


@EVERYWHERE
@pytest.mark.parametrize(("age_seconds", "age"), [(0.0, "0"), (12.9, "12")])
def test_a_hit_tells_its_age_in_whole_seconds(name: str, age_seconds: float, age: str) -> None:
    assert facts(ask(name, kept("hit", age_seconds))) == {"x-podium-cache": "hit", "age": age}


@EVERYWHERE
@pytest.mark.parametrize(("status", "worked"), [("miss", True), ("bypass", True), ("hit", False), ("attach", False)])
def test_tokens_count_as_computed_where_an_engine_worked_for_them(
    name: str, status: CacheStatus, *, worked: bool
) -> None:
    observer = FakeObserver()
    path, body = EVERY[name]
    call(create_app(fake_backend(dispatcher=kept(status), observer=observer)), "POST", path, body)
    (record,) = observer.records
    assert record.usage.completion_tokens > 0
    assert record.computed == (record.usage if worked else Usage())


def by_prompt(statuses: Sequence[CacheStatus], ages: Sequence[float | None]) -> FakeDispatcher:
    def dress(request: GenerationRequest, generation: FakeGeneration) -> None:
        assert isinstance(request.prompt, TextPrompt)
        number = "abc".index(request.prompt.text)
        generation.cache_status, generation.age_seconds = statuses[number], ages[number]

    return FakeDispatcher(dress=dress)


@pytest.mark.parametrize("name", SEVERAL)
@pytest.mark.parametrize(
    ("statuses", "told"),
    [
        (("hit", "hit", "hit"), "hit"),
        (("hit", "attach", "hit"), "attach"),
        (("miss", "attach", "hit"), "miss"),
        (("bypass", "hit", "bypass"), "hit"),
        (("bypass", "bypass", "miss"), "miss"),
        (("bypass", "bypass", "bypass"), "bypass"),
    ],
)
def test_several_prompts_tell_the_worst_status(name: str, statuses: Sequence[CacheStatus], told: str) -> None:
    ages = [5.0 if status == "hit" else None for status in statuses]
    answer = ask(name, by_prompt(statuses, ages))
    assert answer.headers["x-podium-cache"] == told
    assert ("age" in answer.headers) == (told == "hit")


@pytest.mark.parametrize("name", SEVERAL)
def test_several_hits_are_as_old_as_the_oldest(name: str) -> None:
    assert ask(name, by_prompt(("hit",) * 3, (5.0, 70.2, 0.1))).headers["age"] == "70"


@pytest.mark.parametrize(("status", "cached"), [("hit", True), ("miss", False), ("attach", False), ("bypass", False)])
def test_generate_says_whether_its_answer_was_kept(status: CacheStatus, cached: object) -> None:
    assert ask("generate", kept(status, 1.0)).json["cached"] is cached


@EVERYWHERE
def test_an_answer_tells_how_its_callers_quotas_stand(name: str) -> None:
    answer = ask(name, kept("miss", None, (REQUESTS, TOKENS, RUNNING)))
    assert facts(answer) == {
        "x-podium-cache": "miss",
        "x-ratelimit-limit-requests": "60",
        "x-ratelimit-remaining-requests": "41",
        "x-ratelimit-reset-requests": "19.2s",
        "x-ratelimit-limit-tokens": "100000",
        "x-ratelimit-remaining-tokens": "250",
        "x-ratelimit-reset-tokens": "11h6m40s",
        "ratelimit-policy": answer.headers["ratelimit-policy"],
        "ratelimit": answer.headers["ratelimit"],
    }
    policies, limits = parse_list(answer.headers["ratelimit-policy"]), parse_list(answer.headers["ratelimit"])
    assert {item.value: item.parameters["q"] for item in policies} == {
        "key-requests-per-minute": 60,
        "tenant-tokens-per-day": 100_000,
        "key-concurrent-requests": 4,
    }
    assert {item.value: item.parameters["r"] for item in limits} == {
        "key-requests-per-minute": 41,
        "tenant-tokens-per-day": 250,
        "key-concurrent-requests": 3,
    }


@pytest.mark.parametrize("name", SEVERAL)
def test_several_prompts_tell_the_tightest_standing_of_each_quota(name: str) -> None:
    def dress(request: GenerationRequest, generation: FakeGeneration) -> None:
        assert isinstance(request.prompt, TextPrompt)
        used = "bca".index(request.prompt.text)
        generation.standings = (msgspec.structs.replace(REQUESTS, remaining=41 - used), TOKENS)

    answer = ask(name, FakeDispatcher(dress=dress))
    assert answer.headers["x-ratelimit-remaining-requests"] == "39"
    assert [item.parameters["r"] for item in parse_list(answer.headers["ratelimit"])] == [39, 250]


@pytest.mark.parametrize("name", [*WHOLE, "completions"])
def test_without_quotas_nothing_is_told_of_any(name: str) -> None:
    assert facts(ask(name, kept("miss"))) == {"x-podium-cache": "miss"}


@pytest.mark.parametrize("path", ["/version", "/v1/models", "/health", "/livez", "/no/such/route"])
def test_an_answer_without_a_generation_has_no_facts(path: str) -> None:
    assert facts(call(create_app(fake_backend()), "GET", path)) == {}


def refusing(error: PodiumError) -> FakeDispatcher:
    def script(_: GenerationRequest) -> PodiumError:
        return error

    return FakeDispatcher(script)


REFUSABLE = pytest.mark.parametrize("name", [name for name in CALLS if name != "batch_generate"])


@REFUSABLE
@pytest.mark.parametrize(
    ("seconds", "whole", "milliseconds"), [(0.0201, "1", "21"), (1.0, "1", "1000"), (3.2, "4", "3200")]
)
def test_a_refusal_by_a_quota_tells_when_to_come_back(name: str, seconds: float, whole: str, milliseconds: str) -> None:
    error = RateLimited("Too many.", retry_after_seconds=seconds, standings=(REQUESTS, RUNNING))
    answer = ask(name, refusing(error))
    assert (answer.status, answer.json["error"]["code"]) == (429, "rate_limit_exceeded")
    assert (answer.headers["retry-after"], answer.headers["retry-after-ms"]) == (whole, milliseconds)
    assert "x-should-retry" not in answer.headers
    assert answer.headers["x-ratelimit-remaining-requests"] == "41"
    (requests, running) = parse_list(answer.headers["ratelimit"])
    assert requests.parameters["t"] == int(whole)
    assert "t" not in running.parameters


@REFUSABLE
def test_a_used_up_quota_asks_not_to_retry(name: str) -> None:
    answer = ask(name, refusing(QuotaExhausted("Used up.", retry_after_seconds=40_000.0, standings=(TOKENS,))))
    assert (answer.status, answer.json["error"]["code"]) == (429, "insufficient_quota")
    assert answer.headers["x-should-retry"] == "false"
    assert "retry-after-ms" not in answer.headers
    assert answer.headers["x-ratelimit-remaining-tokens"] == "250"
    assert parse_list(answer.headers["ratelimit"])[0].parameters == {"r": 250, "t": 40_000}


def test_a_batch_of_which_one_prompt_is_refused_tells_the_standing_after_it() -> None:
    used_up = msgspec.structs.replace(REQUESTS, remaining=0)

    def script(request: GenerationRequest) -> Any:
        assert isinstance(request.prompt, TextPrompt)
        if request.prompt.text == "b":
            return RateLimited("Too many.", retry_after_seconds=5.0, standings=(used_up,))
        return story(request)

    app = create_app(fake_backend(dispatcher=FakeDispatcher(script)))
    answer = call(app, "POST", *SEVERAL["three to batch_generate"])
    assert answer.status == 200
    assert [result.get("error", {}).get("code") for result in answer.json["results"]] == [
        None,
        "rate_limit_exceeded",
        None,
    ]
    assert answer.headers["x-ratelimit-remaining-requests"] == "0"


def test_a_full_server_is_not_a_quota() -> None:
    answer = ask("chat", refusing(Overloaded("Full.", retry_after_seconds=2.0)))
    assert answer.status == 503
    assert facts(answer) == {}
    assert "retry-after-ms" not in answer.headers


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_of_a_kept_answer_has_the_same_frames(name: str) -> None:
    hit, miss = ask(name, kept("hit", 3.0)), ask(name, kept("miss"))
    assert without_ids(hit) == without_ids(miss)
    assert len(hit.frames) == len(miss.frames)


def without_ids(answer: Answer) -> list[Any]:
    own = {"id", "created"}
    return [event if event == "[DONE]" else {key: event[key] for key in event.keys() - own} for event in answer.data]


def test_a_browser_may_read_and_send_the_headers() -> None:
    server = Server(cors_origins=("https://app.example",))
    app = create_app(fake_backend(server=server, dispatcher=kept("hit", 1.0, (REQUESTS,))))
    origin = ("origin", "https://app.example")
    path, body = WHOLE["generate"]
    answer = call(app, "POST", path, body, headers=[("host", "a"), ("content-type", "application/json"), origin])
    exposed = {name.strip() for name in answer.headers["access-control-expose-headers"].split(",")}
    assert set(HEADERS) | {"retry-after", "retry-after-ms", "x-should-retry", "x-request-id"} <= exposed
    wanted = [
        ("access-control-request-method", "DELETE"),
        ("access-control-request-headers", "idempotency-key,cache-control"),
    ]
    assert call(app, "OPTIONS", "/cache", headers=[("host", "a"), origin, *wanted]).status == 200


def test_an_answer_to_a_similar_question_says_so_and_how_similar_it_was() -> None:
    def dress(_: GenerationRequest, generation: FakeGeneration) -> None:
        generation.cache_status, generation.similarity, generation.age_seconds = "semantic", 0.97123, 4.0

    app = create_app(fake_backend(dispatcher=FakeDispatcher(dress=dress)))
    answer = call(app, "POST", "/generate", {"prompt": "x"})
    assert answer.headers["x-podium-cache"] == "semantic"
    assert answer.headers["x-podium-cache-similarity"] == "0.9712"
    assert answer.headers["age"] == "4"
    assert answer.json["cached"] is True
    plain = call(create_app(fake_backend()), "POST", "/generate", {"prompt": "x"})
    assert "x-podium-cache-similarity" not in plain.headers
