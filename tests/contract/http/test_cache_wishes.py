"""``Cache-Control`` and the member ``cache``, on every route that generates."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.generation import CacheControl
from support.asgi import JSON_HEADERS, Answer, call
from support.generating_calls import CALLS, EVERY, SEVERAL, WHOLE
from support.http_doubles import FakeDispatcher, fake_backend

EVERYWHERE = pytest.mark.parametrize("name", CALLS)


def ask(name: str, member: Any = None, *headers: str, dispatcher: FakeDispatcher | None = None) -> Answer:
    path, body = EVERY[name]
    app = create_app(fake_backend(dispatcher=dispatcher or FakeDispatcher()))
    given = [*JSON_HEADERS, *(("cache-control", value) for value in headers)]
    return call(app, "POST", path, body if member is None else {**body, "cache": member}, headers=given)


def wish(name: str, member: Any = None, *headers: str) -> CacheControl:
    """What reaches the dispatcher."""
    dispatcher = FakeDispatcher()
    answer = ask(name, member, *headers, dispatcher=dispatcher)
    assert answer.status == 200, answer.body
    return dispatcher.requests[0].cache


@EVERYWHERE
def test_without_a_wish_the_cache_is_read_and_written(name: str) -> None:
    assert wish(name) == CacheControl()


@EVERYWHERE
def test_the_header_is_heard(name: str) -> None:
    assert wish(name, None, "no-cache") == CacheControl(read=False)
    assert wish(name, None, "No-Store") == CacheControl(write=False)
    assert wish(name, None, "max-age=60") == CacheControl(max_age_seconds=60.0)


@EVERYWHERE
def test_the_member_is_heard(name: str) -> None:
    assert wish(name, "force") == CacheControl(force=True)
    assert wish(name, {"no-cache": True}) == CacheControl(read=False)
    assert wish(name, {"no-store": True, "force": True}) == CacheControl(write=False, force=True)
    assert wish(name, {"max-age": 2.5}) == CacheControl(max_age_seconds=2.5)


@pytest.mark.parametrize("member", [{"s-maxage": 7}, {"ttl": 7}, {"max-age": 9, "s-maxage": 8, "ttl": 7}])
def test_an_age_has_three_names_and_the_least_one_counts(member: dict[str, Any]) -> None:
    assert wish("generate", member) == CacheControl(max_age_seconds=7.0)


@pytest.mark.parametrize("member", [None, {}, {"no-cache": False, "max-age": None}, {"namespace": "x"}])
def test_what_says_nothing_changes_nothing(member: Any) -> None:
    assert wish("chat", member) == CacheControl()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        (("no-cache, no-store",), CacheControl(read=False, write=False)),
        (("no-cache", "max-age=0"), CacheControl(read=False, max_age_seconds=0.0)),
        (("max-age=60, max-age=5",), CacheControl(max_age_seconds=5.0)),
        (('max-age="60"',), CacheControl(max_age_seconds=60.0)),
        (("max-age=" + "9" * 1000,), CacheControl(max_age_seconds=2.0**31)),
        (("max-stale, no-transform, only-if-cached, min-fresh=3, stale-if-error=1",), CacheControl()),
        (('private="a, no-store, b"',), CacheControl()),
        ((" ,, no-store , ",), CacheControl(write=False)),
        (("",), CacheControl()),
    ],
)
def test_the_header_is_a_list_of_directives_of_which_three_mean_something(
    headers: tuple[str, ...], expected: CacheControl
) -> None:
    assert wish("generate", None, *headers) == expected


@pytest.mark.parametrize(
    "header", ["max-age", "max-age=", "max-age=x", "max-age=-1", "max-age=1.5", "a b", "=", '"', "no-store," * 114]
)
def test_a_header_that_cannot_be_read_is_refused_by_name(header: str) -> None:
    answer = ask("chat", None, header)
    assert (answer.status, answer.json["error"]["param"]) == (400, "Cache-Control")


@pytest.mark.parametrize(
    ("member", "header", "expected"),
    [
        ({"max-age": 10}, "max-age=60", CacheControl(max_age_seconds=10.0)),
        ({"max-age": 60}, "max-age=10", CacheControl(max_age_seconds=10.0)),
        ({"no-cache": False}, "no-cache", CacheControl(read=False)),
        ({"no-cache": True}, "no-store", CacheControl(read=False, write=False)),
        ("force", "no-store, max-age=5", CacheControl(write=False, max_age_seconds=5.0, force=True)),
    ],
)
def test_of_header_and_member_the_stricter_one_holds(member: Any, header: str, expected: CacheControl) -> None:
    assert wish("completions", member, header) == expected


@EVERYWHERE
@pytest.mark.parametrize(
    "member",
    [
        "no-cache",
        "",
        7,
        True,
        ["force"],
        {"no-cache": 1},
        {"no-store": "true"},
        {"force": "yes"},
        {"max-age": "60"},
        {"max-age": True},
        {"ttl": -1},
        {"s-maxage": [1]},
    ],
)
def test_a_member_of_another_type_is_refused_by_name(name: str, member: Any) -> None:
    answer = ask(name, member)
    assert (answer.status, answer.json["error"]["param"]) == (400, "cache")


@pytest.mark.parametrize("name", SEVERAL)
def test_every_prompt_of_a_call_has_the_same_wish(name: str) -> None:
    dispatcher = FakeDispatcher()
    assert ask(name, "force", "max-age=5", dispatcher=dispatcher).status == 200
    assert [request.cache for request in dispatcher.requests] == [CacheControl(max_age_seconds=5.0, force=True)] * 3


@pytest.mark.parametrize("name", WHOLE)
def test_the_member_is_not_reported_as_ignored(name: str) -> None:
    assert "x-podium-ignored" not in ask(name, "force").headers
