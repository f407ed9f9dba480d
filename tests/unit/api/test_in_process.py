"""Requests that this process makes itself, for somebody who was known earlier."""

from __future__ import annotations

import dataclasses
import json

from podium.api.app import create_app
from podium.api.in_process import LocalAnswer, ask
from podium.api.principal import BACKGROUND_PRIORITY
from podium.api.shadow import COPY_PRIORITY
from podium.core.errors import Unauthenticated
from podium.core.identity import Principal
from support.asgi import call
from support.http_doubles import FakeDispatcher, FakeGatekeeper, FakeObserver, fake_backend
from support.on_loop import on_loop

EARLIER = Principal(tenant="acme", key_id="k", roles=frozenset({"infer"}), priority=7)
HEADERS = [(b"host", b"localhost"), (b"content-type", b"application/json"), (b"x-request-id", b"line-1")]
BODY = b'{"prompt": "hi"}'


class Revoking(FakeGatekeeper):
    def renewed(self, earlier: Principal) -> Principal:  # noqa: ARG002
        raise Unauthenticated("gone")


@on_loop
async def test_its_class_is_the_lowest_and_it_is_no_request_of_a_client() -> None:
    dispatcher, observer = FakeDispatcher(), FakeObserver()
    app = create_app(fake_backend(dispatcher=dispatcher, observer=observer))
    answer = await ask(app, "POST", "/v1/completions", HEADERS, BODY, for_whom=EARLIER)
    assert (answer.status, answer.headers["x-request-id"]) == (200, "line-1")
    (asked,) = dispatcher.requests
    assert (asked.caller.tenant, asked.caller.key_id) == ("acme", "k")
    assert COPY_PRIORITY < asked.caller.priority == BACKGROUND_PRIORITY < 0
    assert observer.routes == []
    (record,) = observer.records
    assert (record.tenant, record.outcome) == ("acme", "ok")


@on_loop
async def test_rights_that_ended_meanwhile_are_not_used() -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=Revoking()))
    answer: LocalAnswer = await ask(app, "POST", "/v1/completions", HEADERS, BODY, for_whom=EARLIER)
    assert (answer.status, json.loads(answer.body)["error"]["code"]) == (401, "invalid_api_key")
    weak = dataclasses.replace(FakeGatekeeper(), anonymous=None)
    app = create_app(fake_backend(dispatcher=dispatcher, gatekeeper=weak))
    assert (await ask(app, "POST", "/v1/completions", HEADERS, BODY)).status == 401
    assert not dispatcher.requests


def test_without_a_folder_there_are_neither_files_nor_batches() -> None:
    app = create_app(dataclasses.replace(fake_backend(), batches=None))
    for method, path in (
        ("GET", "/v1/files"),
        ("POST", "/v1/files"),
        ("GET", "/v1/batches/b"),
        ("POST", "/v1/batches"),
    ):
        answer = call(app, method, path, {"input_file_id": "f"} if method == "POST" else None)
        assert answer.status == 501
        assert answer.json["error"]["code"] == "not_configured"
        assert "batches.folder" in answer.json["error"]["message"]
        assert answer.headers["x-should-retry"] == "false"
