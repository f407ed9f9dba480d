"""``Idempotency-Key`` on every route that generates."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from podium.api.app import create_app
from podium.api.idempotency import key_of_prompt
from podium.core.errors import IdempotencyInProgress, IdempotencyMismatch, PodiumError
from podium.core.generation import GenerationRequest
from support.asgi import JSON_HEADERS, Answer, call
from support.generating_calls import CALLS, EVERY, SEVERAL
from support.http_doubles import FakeDispatcher, fake_backend

EVERYWHERE = pytest.mark.parametrize("name", CALLS)
KEYS = st.text("01:a", min_size=1, max_size=6)  # characters that a derived key has too


def ask(name: str, *keys: str, dispatcher: FakeDispatcher | None = None) -> Answer:
    path, body = EVERY[name]
    app = create_app(fake_backend(dispatcher=dispatcher or FakeDispatcher()))
    return call(app, "POST", path, body, headers=[*JSON_HEADERS, *(("idempotency-key", key) for key in keys)])


@EVERYWHERE
@pytest.mark.parametrize("key", ["8e03978e-40d5-43e8-bc93-6894a57f9324", "~", "x" * 255, '"quoted"', "a,b"])
def test_the_key_reaches_the_dispatcher_as_it_is(name: str, key: str) -> None:
    dispatcher = FakeDispatcher()
    assert ask(name, key, dispatcher=dispatcher).status == 200
    assert [request.idempotency_key for request in dispatcher.requests] == [key]


@EVERYWHERE
def test_without_the_header_there_is_no_key(name: str) -> None:
    dispatcher = FakeDispatcher()
    assert ask(name, dispatcher=dispatcher).status == 200
    assert dispatcher.requests[0].idempotency_key is None


@EVERYWHERE
@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "\ttab", "caf\xe9", "nul\x00", "del\x7f"])
def test_a_key_that_is_no_key_is_refused_by_name_and_not_repeated(name: str, key: str) -> None:
    dispatcher = FakeDispatcher()
    answer = ask(name, key, dispatcher=dispatcher)
    assert (answer.status, answer.json["error"]["param"]) == (400, "Idempotency-Key")
    assert not dispatcher.requests
    assert not key or key.encode("latin-1") not in answer.body


@EVERYWHERE
def test_two_keys_are_refused(name: str) -> None:
    assert ask(name, "a", "a").status == 400


@pytest.mark.parametrize("name", SEVERAL)
def test_each_prompt_of_a_call_has_a_key_of_its_own_and_the_same_one_again(name: str) -> None:
    first, again = FakeDispatcher(), FakeDispatcher()
    ask(name, "abc", dispatcher=first)
    ask(name, "abc", dispatcher=again)
    keys = [request.idempotency_key for request in first.requests]
    assert len(set(keys)) == 3
    assert keys[0] == "abc"
    assert [request.idempotency_key for request in again.requests] == keys


@given(st.lists(st.tuples(KEYS, st.integers(0, 64)), min_size=2, max_size=8, unique=True))
@example([("a", 11), ("a1", 1)])
def test_no_two_prompts_of_any_calls_share_a_key(prompts: list[tuple[str, int]]) -> None:
    derived = [key_of_prompt(key, number) for key, number in prompts]
    assert all(one != other for one, other in itertools.combinations(derived, 2))


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (IdempotencyMismatch("The key was used before, with another request. Use a fresh one."), 422),
        (IdempotencyInProgress("It still runs on another replica.", retry_after_seconds=0.4), 409),
    ],
)
@EVERYWHERE
def test_the_refusals_of_a_key_have_their_status(name: str, error: PodiumError, status: int) -> None:
    def script(_: GenerationRequest) -> PodiumError:
        return error

    answer = ask(name, "k", dispatcher=FakeDispatcher(script))
    if name == "batch_generate":  # each prompt has its own result
        assert answer.json["results"][0]["error"]["code"] == error.code
        return
    assert (answer.status, answer.json["error"]["code"]) == (status, error.code)
    assert ("x-should-retry" in answer.headers) != error.retryable
