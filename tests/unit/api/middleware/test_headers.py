"""Limits on headers, CORS and compression."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from podium.api.app import create_app
from podium.config.server import RequestLimits, Server
from support.asgi import JSON_HEADERS, call
from support.http_doubles import fake_backend

SERVER = Server(limits=RequestLimits(header_bytes=2048, header_count=10))


@pytest.mark.parametrize(
    "headers",
    [
        [("x-a", "1")] * 11,
        [("x-a", "x" * 2048)],
        [("x-" + "a" * 2048, "x")],
        [(f"x-{number}", "x" * 250) for number in range(8)],
    ],
)
def test_too_many_or_too_large_headers_are_431(headers: list[tuple[str, str]]) -> None:
    answer = call(create_app(fake_backend(server=SERVER)), "GET", "/version", headers=[("host", "a"), *headers])
    assert answer.status == 431
    assert answer.json["error"]["code"] == "headers_too_large"


def test_a_long_query_counts_as_headers() -> None:
    app = create_app(fake_backend(server=SERVER))
    assert call(app, "GET", "/version", query="x" * 2048).status == 431


ORIGIN = ("origin", "https://app.example")
PREFLIGHT = [("host", "a"), ORIGIN, ("access-control-request-method", "POST")]


def test_without_origins_there_is_no_cors_at_all() -> None:
    app = create_app(fake_backend())
    answer = call(app, "GET", "/version", headers=[("host", "a"), ORIGIN])
    assert not any(name.startswith("access-control") for name in answer.headers)
    assert call(app, "OPTIONS", "/generate", headers=PREFLIGHT).status == 405


def test_a_configured_origin_is_allowed_without_credentials_and_others_are_not() -> None:
    app = create_app(fake_backend(server=Server(cors_origins=("https://app.example",))))
    allowed = call(app, "GET", "/version", headers=[("host", "a"), ORIGIN])
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in allowed.headers
    refused = call(app, "GET", "/version", headers=[("host", "a"), ("origin", "https://evil.example")])
    assert "access-control-allow-origin" not in refused.headers
    assert call(app, "OPTIONS", "/generate", headers=PREFLIGHT).status == 200


def test_errors_carry_cors_headers_so_that_a_browser_may_read_them() -> None:
    app = create_app(fake_backend(server=Server(cors_origins=("https://app.example",))))
    answer = call(app, "GET", "/no/such", headers=[("host", "a"), ORIGIN])
    assert answer.status == 404
    assert answer.headers["access-control-allow-origin"] == "https://app.example"


def test_large_plain_bodies_are_compressed_for_those_who_ask() -> None:
    app = create_app(fake_backend())
    answer = call(app, "GET", "/openapi.json", headers=[("host", "a"), ("accept-encoding", "gzip")])
    assert answer.headers["content-encoding"] == "gzip"
    assert gzip.decompress(answer.body) == call(app, "GET", "/openapi.json").body


@pytest.mark.parametrize(
    ("path", "body", "begin"),
    [
        ("/generate", {"prompt": "x", "stream": True, "max_new_tokens": 400}, b"id: "),
        ("/api/generate", {"model": "demo", "prompt": "x", "options": {"num_predict": 400}}, b"{"),
    ],
    ids=["events", "lines"],
)
def test_streams_are_never_compressed(path: str, body: dict[str, Any], begin: bytes) -> None:
    headers = [*JSON_HEADERS, ("accept-encoding", "gzip")]
    answer = call(create_app(fake_backend()), "POST", path, body, headers=headers)
    assert "content-encoding" not in answer.headers
    assert answer.body.startswith(begin)


@pytest.mark.parametrize(
    "declared",
    [
        [],
        [("content-type", "text/plain")],
        [("content-type", "application/json; charset=utf-16")],
        [("content-type", "application/json"), ("content-type", "application/json")],
        [("content-type", "multipart/form-data; boundary=x")],
        [("content-type", "application/json"), ("content-encoding", "gzip")],
    ],
)
def test_a_body_that_is_not_declared_as_plain_json_is_415(declared: list[tuple[str, str]]) -> None:
    answer = call(create_app(fake_backend()), "POST", "/generate", {"prompt": "x"}, headers=[("host", "a"), *declared])
    assert answer.status == 415
    assert answer.json["error"]["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "kind", ["application/json", "Application/JSON; charset=UTF-8", 'application/json;charset="utf-8"']
)
def test_json_may_be_declared_in_several_ways(kind: str) -> None:
    headers = [("host", "a"), ("content-type", kind)]
    assert call(create_app(fake_backend()), "POST", "/generate", {"prompt": "x"}, headers=headers).status == 200
