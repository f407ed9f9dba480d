"""A model that the caller may not use is, word for word, one that does not exist."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.identity import ROLES, Principal
from support.asgi import Answer, call
from support.http_doubles import FakeDispatcher, FakeGatekeeper, fake_backend

DEMO_ONLY = Principal(tenant="acme", key_id="k1", roles=frozenset(ROLES), models=frozenset({"demo"}))
PERMITTED, FORBIDDEN, UNKNOWN = "demo", "other/model", "no/such"
HEADERS = [("host", "a"), ("content-type", "application/json"), ("x-request-id", "same"), ("authorization", "Bearer k")]

DESCRIPTION: dict[str, Any] = call(create_app(fake_backend()), "GET", "/openapi.json").json


def ways() -> Iterator[tuple[str, str, str]]:
    """Every operation that takes a model: method, path template, and whether in the path, the query or the body."""
    for path, item in DESCRIPTION["paths"].items():
        for method, entry in item.items():
            parameters = {(one["name"], one["in"]) for one in entry.get("parameters", ())}
            if parameters & {("model_name", "path"), ("model_id", "path")}:
                yield method.upper(), path, "path"
            elif ("model", "query") in parameters:
                yield method.upper(), path, "query"
            elif "requestBody" in entry and "model" in _members(entry):
                yield method.upper(), path, "body"


def _members(entry: dict[str, Any]) -> dict[str, Any]:
    if "application/json" not in entry["requestBody"]["content"]:
        return {}
    reference = entry["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    members: dict[str, Any] = DESCRIPTION["components"]["schemas"][reference.rpartition("/")[2]]["properties"]
    return members


WAYS = list(ways())
EVERY_WAY = pytest.mark.parametrize(("method", "path", "place"), WAYS)


def ask(method: str, path: str, place: str, model: str, *, stream: bool = False) -> Answer:
    """Name ``model`` in a call of the caller that may use ``demo`` only."""
    body: Any = None
    entry = DESCRIPTION["paths"][path][method.lower()]
    if "requestBody" in entry:
        body = dict(entry["requestBody"]["content"]["application/json"]["example"])
        body |= {"model": model} if place == "body" else {}
        body |= {"stream": True} if stream else {}
    filled = re.sub(r"\{\w+\}", model, path)
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"k": DEMO_ONLY})))
    answer = call(app, method, filled, body, headers=HEADERS, query=f"model={model}" if place == "query" else "")
    assert not dispatcher.models.calls or model != FORBIDDEN
    assert answer.headers.pop("traceresponse")  # of each request another one
    return answer


def test_the_walk_finds_every_kind_of_way() -> None:
    assert {(method, path) for method, path, _ in WAYS} >= {
        ("POST", "/generate"),
        ("POST", "/batch_generate"),
        ("POST", "/v1/chat/completions"),
        ("POST", "/v1/completions"),
        ("POST", "/tokenize"),
        ("POST", "/v1/detokenize"),
        ("GET", "/v1/tokenizer_info"),
        ("GET", "/v1/models/{model_id}"),
        ("POST", "/models/{model_name}/load"),
        ("POST", "/models/{model_name}/unload"),
        ("DELETE", "/cache"),
    }
    assert {place for _, _, place in WAYS} == {"path", "query", "body"}


@EVERY_WAY
def test_a_permitted_model_is_served(method: str, path: str, place: str) -> None:
    assert ask(method, path, place, PERMITTED).status == 200


@EVERY_WAY
@pytest.mark.parametrize("version", ["", "@1", "@9"])
def test_a_forbidden_model_answers_as_an_unknown_one(method: str, path: str, place: str, version: str) -> None:
    forbidden = ask(method, path, place, FORBIDDEN + version)
    unknown = ask(method, path, place, UNKNOWN + version)
    assert unknown.status == 404
    assert "No model has that name" in str(unknown.json["error"])
    assert (forbidden.status, forbidden.headers, forbidden.body) == (unknown.status, unknown.headers, unknown.body)


@pytest.mark.parametrize("path", ["/generate", "/v1/chat/completions", "/v1/completions"])
def test_so_does_a_stream(path: str) -> None:
    forbidden, unknown = (ask("POST", path, "body", model, stream=True) for model in (FORBIDDEN, UNKNOWN))
    assert (forbidden.status, forbidden.headers, forbidden.body) == (404, unknown.headers, unknown.body)


@pytest.mark.parametrize("source", ["./x", "builtin:demo"])
@pytest.mark.parametrize("name", [FORBIDDEN, UNKNOWN, "no/such@2"])
def test_a_source_gives_no_way_to_load_what_is_not_permitted(name: str, source: str) -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"k": DEMO_ONLY})))
    answer = call(app, "POST", f"/models/{name}/load", {"model_path": source}, headers=HEADERS)
    assert (answer.status, answer.json["error"]["code"]) == (404, "model_not_found")
    assert not dispatcher.models.calls


def test_a_permitted_name_may_get_a_new_version() -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"k": DEMO_ONLY})))
    assert call(app, "POST", "/models/demo@2/load", {"model_path": "./x"}, headers=HEADERS).status == 200


def test_an_alias_with_a_permitted_name_gives_no_way_to_a_forbidden_model() -> None:
    dispatcher = FakeDispatcher()
    dispatcher.models.statuses[1].aliases = ("nice",)
    caller = Principal(tenant="acme", key_id="k1", roles=frozenset(ROLES), models=frozenset({"nice"}))
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"k": caller})))
    for path in ("/models/nice/load", "/models/nice/unload"):
        assert call(app, "POST", path, headers=HEADERS).status == 404
    assert call(app, "GET", "/v1/models/nice", headers=HEADERS).status == 404
    assert not dispatcher.models.calls


@pytest.mark.parametrize("path", ["/models", "/v1/models", "/health"])
def test_lists_hold_what_the_caller_may_use(path: str) -> None:
    dispatcher = FakeDispatcher()
    dispatcher.models.state.reasons = (f"{FORBIDDEN} is loading",)
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"k": DEMO_ONLY})))
    mine, all_of_them = (json.dumps(call(app, "GET", path, headers=given).json) for given in (HEADERS, HEADERS[:3]))
    assert PERMITTED in mine
    assert FORBIDDEN not in mine
    assert FORBIDDEN in all_of_them


def test_without_a_name_the_default_model_is_asked_for_and_may_be_forbidden_too() -> None:
    dispatcher = FakeDispatcher()
    caller = Principal(tenant="acme", key_id="k1", roles=frozenset({"infer"}), models=frozenset({FORBIDDEN}))
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"k": caller})))
    assert call(app, "POST", "/generate", {"prompt": "x"}, headers=HEADERS).status == 404
    assert call(app, "POST", "/generate", {"prompt": "x", "model": FORBIDDEN}, headers=HEADERS).status == 200


@pytest.mark.parametrize("path", ["/models", "/v1/models", "/v1/models/demo", "/usage", "/cache/stats"])
def test_no_proxy_may_keep_an_answer_that_depends_on_the_caller(path: str) -> None:
    assert call(create_app(fake_backend()), "GET", path).headers["cache-control"] == "no-store"
