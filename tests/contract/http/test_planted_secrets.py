"""A key or an idempotency key that a caller sends is in no log record, no metric and no answer."""

from __future__ import annotations

from typing import Any

import pytest
from structlog.testing import LogCapture

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, IdempotencyMismatch, PodiumError, RateLimited
from podium.core.generation import Chunk, GenerationRequest
from podium.core.identity import ROLES, Principal
from podium.core.standing import Standing
from podium.telemetry.metrics import ServerMetrics
from support.asgi import Answer, call
from support.generating_calls import EVERY
from support.http_doubles import FakeDispatcher, FakeGatekeeper, Script, fake_backend, story
from support.http_routes import METHODS, concrete_paths

KEY = "podium_0123456789abcdef_canary-key-canary-key-canary-key-canary-key12"
IDEMPOTENCY_KEY = "canary-idempotency-8842"
TENANT, KEY_ID = "acme-canary-tenant", "0123456789abcdee"
WINDOW = Standing("requests_per_minute", "tenant", 60, 0, 30.0, 60)


def broken(_: GenerationRequest) -> Any:
    raise RuntimeError("a bug")


def broken_later(request: GenerationRequest) -> list[Chunk | BaseException]:
    return [*story(request)[:2], EngineCrashed("The worker ended.")]


def failing(error: PodiumError) -> Script:
    return lambda _: error


SCRIPTS: dict[str, Script] = {
    "a good answer": story,
    "a bug": broken,
    "a broken stream": broken_later,
    "a mismatch": failing(IdempotencyMismatch("That key was used before, with another request.")),
    "a quota": failing(RateLimited("Too many.", retry_after_seconds=1.0, standings=(WINDOW,))),
}
CREDENTIALS = {
    "a valid key": [("authorization", f"Bearer {KEY}")],
    "a valid key in the other header": [("x-api-key", KEY)],
    "a key that is not known": [("authorization", f"Bearer {KEY}x")],
    "a key in the wrong scheme": [("authorization", f"Basic {KEY}")],
    "two keys": [("authorization", f"Bearer {KEY}"), ("x-api-key", f"{KEY}y")],
}


class Surface:
    """An application whose records, metrics and answers can be searched."""

    def __init__(self, log: LogCapture, script: Script = story) -> None:
        self.log = log
        self.metrics = ServerMetrics(list, version="0")
        caller = Principal(tenant=TENANT, key_id=KEY_ID, roles=frozenset(ROLES))
        backend = fake_backend(
            dispatcher=FakeDispatcher(script), observer=self.metrics, gatekeeper=FakeGatekeeper({KEY: caller})
        )
        self.app = create_app(backend)
        self.answers: list[Answer] = []

    def ask(self, method: str, path: str, body: Any, *headers: tuple[str, str]) -> Answer:
        given = [("host", "a"), ("content-type", "application/json"), *headers]
        answer = call(self.app, method, path, body, headers=given)
        self.answers.append(answer)
        return answer

    def check(self) -> None:
        told = b"".join([answer.body for answer in self.answers]).decode()
        told += str([answer.headers for answer in self.answers])
        counted = self.metrics.exposition().body.decode()
        for secret in (KEY, IDEMPOTENCY_KEY, "canary-key"):
            assert secret not in told
            assert secret not in str(self.log.entries)
            assert secret not in counted
        for name in (TENANT, KEY_ID):
            assert name not in counted


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_no_generating_call_leaves_a_trace_of_its_keys(log: LogCapture, credentials: str, script: str) -> None:
    surface = Surface(log, SCRIPTS[script])
    for path, body in EVERY.values():
        surface.ask("POST", path, body, *CREDENTIALS[credentials], ("idempotency-key", IDEMPOTENCY_KEY))
    assert {answer.status for answer in surface.answers} & {200, 401, 422, 429, 500}
    surface.check()


@pytest.mark.parametrize("credentials", CREDENTIALS)
def test_no_route_leaves_a_trace_of_a_key(log: LogCapture, credentials: str) -> None:
    surface = Surface(log)
    for path in [*concrete_paths(), "/no/such/route"]:
        for method in METHODS:
            surface.ask(method, path, {} if method == "POST" else None, *CREDENTIALS[credentials])
    surface.check()


@pytest.mark.parametrize("header", ["idempotency-key", "cache-control", "x-podium-timeout-seconds", "content-type"])
def test_a_header_that_is_refused_is_not_repeated(log: LogCapture, header: str) -> None:
    surface = Surface(log)
    for path, body in EVERY.values():
        wrong = f'"{IDEMPOTENCY_KEY} {KEY}'
        given = [("host", "a"), ("authorization", f"Bearer {KEY}"), (header, wrong)]
        given += [] if header == "content-type" else [("content-type", "application/json")]
        surface.answers.append(call(surface.app, "POST", path, body, headers=given))
    assert {answer.status for answer in surface.answers} <= {400, 415}
    surface.check()
