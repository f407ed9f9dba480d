"""The description of the control routes is whole, and its examples work."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest
from fastapi import FastAPI
from starlette.routing import Route

from podium.access.gatekeeper import Gatekeeper
from podium.api.control import dashboard
from podium.api.control.app import create_control_app
from podium.api.control.control import Control
from podium.config.access import Access
from podium.config.server import RequestLimits
from podium.core.errors import NotFound
from podium.protocols.control import TrafficAnswer
from support.asgi import call
from support.keys import NOW

LOCAL = (("host", "localhost"), ("content-type", "application/json"))


class Directory:
    """There are no keys."""

    loaded, has_keys = True, False

    def find(self, _key_id: str) -> None:
        return None


class Anything:
    """Traffic and rollouts that take whatever is well-formed."""

    confirmed = True

    async def show(self) -> TrafficAnswer:
        return TrafficAnswer(stable="blue", weights={}, confirmed=True, gateways=1, version="v", environments={})

    async def set_weights(self, _weights: Any) -> None:
        return None

    async def current(self) -> Any:
        raise NotFound("There has been no rollout yet.")

    async def answer(self, *_given: Any, **_named: Any) -> Any:
        return {}

    plan = start = overview = events = approve = abort = promote = answer


def application() -> FastAPI:
    directory, anything = Directory(), Anything()
    gatekeeper = Gatekeeper(Access(), directory, clock=lambda: NOW)  # type: ignore[arg-type]
    app = create_control_app(Control(anything, anything, gatekeeper, RequestLimits(), "127.0.0.1"))
    assert isinstance(app, FastAPI)
    return app


APP = application()
DESCRIPTION: dict[str, Any] = call(APP, "GET", "/openapi.json", headers=LOCAL).json
OPERATIONS = [(path, method, entry) for path, item in DESCRIPTION["paths"].items() for method, entry in item.items()]


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        yield from [value["$ref"]] if isinstance(value.get("$ref"), str) else []
    children = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    for child in children:
        yield from references(child)


def test_every_route_but_the_pages_and_itself_is_described() -> None:
    routes = {
        (route.path, method.lower())
        for route in APP.routes
        if isinstance(route, Route)
        for method in route.methods or ()
    }
    pages = {(route.path, "get") for route in dashboard.router.routes if isinstance(route, Route)}
    described = {(path, method) for path, method, _ in OPERATIONS}
    assert described == {one for one in routes - pages if one[1] != "head"} - {("/openapi.json", "get")}


def test_every_reference_leads_somewhere() -> None:
    known = {f"#/components/schemas/{name}" for name in DESCRIPTION["components"]["schemas"]}
    assert set(references(DESCRIPTION)) <= known


@pytest.mark.parametrize(("path", "method", "entry"), OPERATIONS)
def test_every_operation_tells_its_answer_its_errors_and_an_example_that_works(
    path: str, method: str, entry: dict[str, Any]
) -> None:
    assert entry["summary"]
    assert entry["description"]
    (good,) = [status for status in entry["responses"] if status.startswith("2")]
    assert {"400", "401", "403", "404", "409", "500", "502", "503"} <= set(entry["responses"])
    if "requestBody" not in entry:
        return
    media = entry["requestBody"]["content"]["application/json"]
    schema = {**media["schema"], "components": DESCRIPTION["components"]}
    jsonschema.Draft202012Validator(schema).validate(media["example"])
    answer = call(APP, method.upper(), path, headers=LOCAL, body=json.dumps(media["example"]).encode())
    assert answer.status == int(good), answer.body
