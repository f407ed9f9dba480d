"""Policies that hold for every route and method, found by walking the routes."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from podium.api.app import create_app
from podium.api.middleware.authenticate import PROBES
from podium.config.access import Access
from podium.config.server import Server
from support.asgi import Client, call, exchange, scope_of
from support.http_doubles import FakeDispatcher, FakeObserver, fake_backend
from support.http_routes import METHODS, concrete_paths

PATHS = concrete_paths()
ODD_HOSTS: dict[str, list[tuple[str, str]]] = {
    "none": [],
    "two": [("host", "a"), ("host", "b")],
    "a path": [("host", "a/?x=")],
    "a fragment": [("host", "a/#")],
    "an absolute URL": [("host", "http://a/")],
    "a user": [("host", "u@a")],
    "nothing in it": [("host", "")],
    "a blank": [("host", "a b")],
    "a port that is none": [("host", "a:x")],
}


def test_the_walk_finds_every_dialect() -> None:
    assert {"/generate", "/v1/chat/completions", "/metrics", "/models/demo/load", "/docs"} <= set(PATHS)
    assert len(PATHS) >= 24


@pytest.mark.parametrize("access", [Access(anonymous="never"), Access(anonymous="loopback")])
@pytest.mark.parametrize("path", PATHS)
def test_without_a_key_nothing_but_the_probes_is_open(path: str, access: Access) -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(access=access, server=Server(host="0.0.0.0"), dispatcher=dispatcher))  # noqa: S104
    for method in METHODS:
        answer = call(app, method, path)
        if path in PROBES:
            assert answer.status in (200, 405)
        else:
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == "Bearer"
    assert not dispatcher.requests
    assert not dispatcher.models.calls


def test_the_open_list_is_the_three_probes() -> None:
    assert {"/startupz", "/livez", "/readyz"} == PROBES


@pytest.mark.parametrize("path", [*PATHS, "/no/such/route"])
def test_an_odd_host_is_refused_on_every_route(path: str) -> None:
    app = create_app(fake_backend())
    for method, headers in itertools.product(METHODS, ODD_HOSTS.values()):
        answer = call(app, method, path, headers=headers)
        assert answer.status == 400
        assert answer.json["error"]["code"] == "bad_host"


@pytest.mark.parametrize("host", ["test", "test:8000", "127.0.0.1:1", "[::1]:8000", "a-b.c_d"])
def test_an_ordinary_host_is_taken(host: str) -> None:
    assert call(create_app(fake_backend()), "GET", "/version", headers=[("host", host)]).status == 200


def test_a_list_of_hosts_closes_the_rest_out() -> None:
    app = create_app(fake_backend(server=Server(allowed_hosts=("Good.example",))))
    assert call(app, "GET", "/version", headers=[("host", "good.example:80")]).status == 200
    assert call(app, "GET", "/version", headers=[("host", "evil.example")]).status == 400


@pytest.mark.parametrize("path", [*PATHS, "/no/such/route"])
def test_every_answer_echoes_the_request_id(path: str) -> None:
    app = create_app(fake_backend())
    for method in METHODS:
        answer = call(app, method, path, headers=[("host", "a"), ("x-request-id", "mine-1.2_3")])
        assert answer.headers["x-request-id"] == "mine-1.2_3"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "content-security-policy" in answer.headers


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "a\tb", "http://evil/"])
def test_a_harmful_request_id_is_replaced(given: str) -> None:
    headers = [("host", "a"), ("x-request-id", given)]
    answer = call(create_app(fake_backend()), "GET", "/version", headers=headers)
    assert answer.headers["x-request-id"].startswith("req-")


@pytest.mark.parametrize("path", PATHS)
def test_a_draining_server_takes_nothing_new_and_still_answers_probes(path: str) -> None:
    app = create_app(fake_backend(draining=lambda: True))
    method = "GET" if call(create_app(fake_backend()), "GET", path).status != 405 else "POST"
    answer = call(app, method, path)
    if path in PROBES | {"/metrics", "/health"}:
        assert answer.json["error"]["code"] != "draining" if answer.status == 400 else True
        assert b"shutting down" not in answer.body
    else:
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"


@pytest.mark.parametrize("path", [*PATHS, "/no/such/route"])
def test_a_request_is_reported_once_with_one_route_label(path: str) -> None:
    observer = FakeObserver()
    app = create_app(fake_backend(observer=observer))
    for method in METHODS:
        call(app, method, path)
    assert observer.routes == [record.route for record in observer.records]
    assert len(observer.records) == len(METHODS)
    assert len(set(observer.routes)) == 1


def test_route_labels_never_hold_text_of_a_caller() -> None:
    observer = FakeObserver()
    app = create_app(fake_backend(observer=observer))
    for path in ("/v1/models/evil", "/models/evil/load", "/evil", "/docs/evil", "/v1/models/../evil"):
        call(app, "POST", path)
    assert all("evil" not in record.route and record.model == "none" for record in observer.records)


@pytest.mark.parametrize("path", PATHS)
def test_wrong_methods_get_405_and_are_told_the_right_ones(path: str) -> None:
    answer = call(create_app(fake_backend()), "PATCH", path)
    assert answer.status == 405
    assert answer.headers["allow"] in ("GET", "POST")
    assert answer.json["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/", "/v1", "/v1/", "/generate/", "//generate", "/v1/chat/completions/x", "/%00"])
def test_there_are_no_other_routes_and_no_redirects(path: str) -> None:
    answer = call(create_app(fake_backend()), "POST", path, {"prompt": "x"})
    assert answer.status == 404
    assert answer.json["error"]["code"] == "route_not_found"


def test_nothing_of_an_unexpected_exception_is_told() -> None:
    def script(_: object) -> None:
        raise RuntimeError("secret /home/me 0x7f0000000000")

    for path in ("/generate", "/v1/completions"):
        answer = call(create_app(fake_backend(script)), "POST", path, {"prompt": "x"})  # type: ignore[arg-type]
        assert answer.status == 500
        assert answer.raised is None
        assert b"secret" not in answer.body
        assert b"/home" not in answer.body
        assert answer.json["error"]["code"] == "internal_error"


def test_an_exception_after_the_first_byte_leaves_the_application() -> None:
    """A wrapper that swallowed it would make the broken answer look whole."""
    app = create_app(fake_backend())
    client = Client()

    async def fail(_: bytes) -> None:
        raise OSError("broken pipe")

    client.on_frame = fail
    answer = asyncio.run(exchange(app, client, scope_of("GET", "/version", [("host", "a")])))
    assert isinstance(answer.raised, OSError)
