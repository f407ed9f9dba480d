"""Policies that hold for every route and method, found by walking the routes."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.routing import Match

from podium.access.gatekeeper import Gatekeeper
from podium.access.key_directory import KeyDirectory
from podium.access.key_record import KeyRecord
from podium.api.admin_app import create_admin_app
from podium.api.app import create_app
from podium.api.backend import Backend
from podium.api.direct_route import DirectRoute
from podium.api.roles import PROBES, ROLES, role_for
from podium.api.routes import RouteLabels
from podium.config.access import Access
from podium.config.server import Server
from podium.core.identity import ROLES as ROLES_IN_WORDS
from podium.core.identity import Role
from support.asgi import JSON_HEADERS, Client, call, exchange, scope_of
from support.http_doubles import FakeCache, FakeDispatcher, FakeObserver, fake_backend
from support.http_routes import METHODS, concrete_paths, filled, routes
from support.keys import NOW, new_key

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


def test_every_route_runs_its_endpoint_directly() -> None:
    """The framework's own handling would need the middleware that an ``Application`` does without."""
    for app in (create_app(fake_backend()), create_admin_app(fake_backend())):
        assert app.routes
        assert all(isinstance(route, DirectRoute) for route in app.routes)


class Directory:
    """Keys that are simply there."""

    loaded = True

    def __init__(self, *records: KeyRecord) -> None:
        self.records = {record.id: record for record in records}
        self.has_keys = bool(records)

    def find(self, key_id: str) -> KeyRecord | None:
        return self.records.get(key_id)


def guarded(*records: KeyRecord, anonymous: str = "loopback", **parts: Any) -> Backend:
    """A backend behind the real gatekeeper."""
    directory: KeyDirectory = Directory(*records)  # type: ignore[assignment]
    access = Access(anonymous=anonymous)
    gatekeeper = Gatekeeper(access, directory, clock=lambda: NOW)
    return replace(fake_backend(access=access, **parts), gatekeeper=gatekeeper)


CLOSED: dict[str, Callable[..., Backend]] = {
    "never, on loopback": lambda **parts: guarded(anonymous="never", **parts),
    "loopback, elsewhere": lambda **parts: guarded(server=Server(host="0.0.0.0", admin_host="0.0.0.0"), **parts),  # noqa: S104
    "loopback, with a key": lambda **parts: guarded(new_key()[1], **parts),
    "loopback, with a revoked key": lambda **parts: guarded(new_key(revoked_at=NOW)[1], **parts),
}
LOCAL_HOSTS = [[("host", "127.0.0.1:8000")], [("host", "localhost")], [("host", "[::1]:1")], [("host", "test")]]


@pytest.mark.parametrize("closed", CLOSED)
@pytest.mark.parametrize("path", [*PATHS, "/no/such/route", "/cache", "/cache/stats", "/usage"])
def test_without_a_key_nothing_but_the_probes_is_open(path: str, closed: str) -> None:
    dispatcher, cache = FakeDispatcher(), FakeCache()
    app = create_app(CLOSED[closed](dispatcher=dispatcher, cache=cache))
    for method, headers in itertools.product(METHODS, [*LOCAL_HOSTS, *ODD_HOSTS.values()]):
        answer = call(app, method, path, headers=headers)
        if headers in ODD_HOSTS.values():
            assert answer.status == 400
        elif path in PROBES:
            assert answer.status in (200, 405)
        else:
            assert answer.status == 401
            assert answer.headers["www-authenticate"] == "Bearer"
    assert not dispatcher.requests
    assert not dispatcher.models.calls
    assert not cache.cleared


@pytest.mark.parametrize("closed", CLOSED)
def test_on_the_admin_port_too_nothing_but_the_probes_is_open(closed: str) -> None:
    app = create_admin_app(CLOSED[closed]())
    hosts = [*LOCAL_HOSTS, *ODD_HOSTS.values()]
    for path, method, headers in itertools.product([*PATHS, "/no/such/route"], METHODS, hosts):
        answer = call(app, method, path, headers=headers)
        assert answer.status in (200, 405) if path in PROBES else answer.status == 401


def key_with(role: Role, **parts: Any) -> tuple[Backend, list[tuple[str, str]]]:
    """A backend that knows one key, of that role, and the headers of its owner."""
    text, record = new_key(roles=(role,))
    return guarded(record, **parts), [*JSON_HEADERS, ("authorization", f"Bearer {text}")]


@pytest.mark.parametrize("role", ROLES_IN_WORDS)
def test_each_route_is_for_the_role_of_its_row_and_for_admins(role: Role) -> None:
    backend, headers = key_with(role)
    apps = [create_app(backend), create_admin_app(backend)]
    assert isinstance(apps[0], FastAPI)
    for (template, method), needed in ROLES.items():
        answer = call(apps[0], method, filled(template), {}, headers=headers)
        assert (answer.status == 403) == (role not in (needed, "admin")), (template, method)
        if answer.status == 403:
            assert f"'{needed}'" in str(answer.json["error"])
    scraped = call(apps[1], "GET", "/metrics", headers=headers)
    assert scraped.status == (403 if role == "infer" else 200)


@pytest.mark.parametrize("role", ["infer", "metrics"])
def test_a_method_without_a_row_is_for_admins(role: Role) -> None:
    backend, headers = key_with(role)
    app = create_app(backend)
    for path, method in itertools.product(PATHS, METHODS):
        answer = call(app, method, path, {}, headers=headers)
        if path not in PROBES and not any(method == known for _, known in rows_of(path)):
            assert answer.status == 403, (path, method)


def rows_of(path: str) -> list[tuple[str, str]]:
    return [row for row in ROLES if filled(row[0]) == path]


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    there = {(route.path, method) for route in routes() for method in route.methods or ()}
    assert {(path, method) for path, method in there if path not in PROBES} == set(ROLES)


def test_a_route_that_somebody_forgot_is_for_admins() -> None:
    assert role_for("/new", "GET") == "admin"
    assert role_for("/generate", "DELETE") == "admin"


@pytest.mark.parametrize("role", ROLES_IN_WORDS)
def test_a_path_that_is_nothing_is_404_for_callers_that_are_known(role: Role) -> None:
    backend, headers = key_with(role)
    assert call(create_app(backend), "GET", "/no/such/route", headers=headers).status == 404


_ODD_ENDS = [
    "",
    "\n",
    "\r",
    "\r\n",
    "\0",
    " ",
    "/",
    "//",
    "/.",
    "/..",
    "?",
    "#",
    "%0a",
    ";x",
    "\u2028",
    "\x85",
    "/x",
    "x",
]


@pytest.mark.parametrize("path", PATHS)
def test_the_role_hangs_on_the_route_that_the_router_takes(path: str) -> None:
    """Whatever is appended or put before: a request that reaches a route had that route's label."""
    known = routes()
    label = RouteLabels(known)
    odd_paths = [path + end for end in _ODD_ENDS] + ["/" + path, path.upper(), path.replace("/", "//")]
    for odd, method in itertools.product(odd_paths, METHODS):
        scope = scope_of(method, odd.encode("latin-1", "replace").decode("latin-1"), [])
        matches = [(route.matches(scope)[0], route.path) for route in known]
        taken = [template for match, template in matches if match == Match.FULL] or [
            template for match, template in matches if match == Match.PARTIAL
        ]
        assert label(scope) == (taken[0] if taken else "unmatched"), (odd, method)


def test_a_line_end_after_the_path_opens_no_route_of_another_role() -> None:
    """The router's expressions take one."""
    cache = FakeCache()
    backend, headers = key_with("infer", cache=cache)
    app = create_app(backend)
    for path, method in (("/metrics", "GET"), ("/cache", "DELETE"), ("/models/demo/unload", "POST")):
        assert call(app, method, f"{path}\n", headers=headers).status in (403, 404)
    assert not cache.cleared


def test_the_open_list_is_the_three_probes() -> None:
    assert {"/startupz", "/livez", "/readyz"} == PROBES


@pytest.mark.parametrize("path", [*PATHS, "/no/such/route"])
def test_an_odd_host_is_refused_on_every_route(path: str) -> None:
    observer = FakeObserver()
    app = create_app(fake_backend(observer=observer))
    for method, headers in itertools.product(METHODS, ODD_HOSTS.values()):
        assert call(app, method, path, headers=headers).status == 400
    assert {record.error_code for record in observer.records} == {"bad_host"}


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


@pytest.mark.parametrize("given", ["", "a b", "x" * 129, "é", "a\tb", "http://evil/", "podium_0123456789abcdef_secret"])
def test_a_harmful_request_id_is_replaced(given: str) -> None:
    headers = [("host", "a"), ("x-request-id", given)]
    answer = call(create_app(fake_backend()), "GET", "/version", headers=headers)
    assert answer.headers["x-request-id"].startswith("req-")


@pytest.mark.parametrize("path", PATHS)
def test_a_draining_server_takes_nothing_new_and_still_answers_probes(path: str) -> None:
    app = create_app(fake_backend(draining=lambda: True))
    method = "GET" if call(create_app(fake_backend()), "GET", path).status != 405 else "POST"
    answer = call(app, method, path)
    if path in PROBES | {"/metrics", "/health", "/ping", "/v2/health/live", "/v2/health/ready"}:
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
    observer = FakeObserver()
    answer = call(create_app(fake_backend(observer=observer)), "PATCH", path)
    assert answer.status == 405
    assert answer.headers["allow"] in ("GET", "POST", "DELETE")
    assert [record.error_code for record in observer.records] == ["method_not_allowed"]


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
