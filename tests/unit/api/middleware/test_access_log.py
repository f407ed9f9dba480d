"""The one line of each request."""

from __future__ import annotations

import pytest
from structlog.testing import LogCapture

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, Overloaded, PodiumError
from podium.core.generation import Chunk, GenerationRequest
from podium.core.identity import Principal
from support.asgi import JSON_HEADERS, call
from support.http_doubles import FakeGatekeeper, FakeObserver, fake_backend, story

CANARY = "canary-prompt-7431"


def test_it_tells_the_request_and_holds_no_text_of_the_caller(log: LogCapture) -> None:
    body = {"prompt": CANARY, "max_new_tokens": 5, "stop": [CANARY]}
    call(create_app(fake_backend()), "POST", "/generate", body, query=CANARY)
    (line,) = log.entries
    assert line["event"] == "request"
    assert (line["route"], line["status"], line["outcome"]) == ("/generate", 200, "ok")
    assert (line["model"], line["version"], line["engine"]) == ("demo", "1", "fake")
    assert (line["prompt_tokens"], line["output_tokens"], line["cached_prompt_tokens"]) == (1, 5, 1)
    assert line["ttft_seconds"] == pytest.approx(line["api_seconds"] + line["queue_seconds"] + line["prefill_seconds"])
    assert line["request_id"].startswith("req-")
    assert CANARY not in str(log.entries)


def test_it_names_the_caller_and_the_cache_status_and_never_a_key(log: LogCapture) -> None:
    keys = {CANARY: Principal(tenant="acme", key_id="k1", roles=frozenset({"infer"}))}
    app = create_app(fake_backend(gatekeeper=FakeGatekeeper(keys)))
    headers = [*JSON_HEADERS, ("authorization", f"Bearer {CANARY}"), ("idempotency-key", CANARY)]
    call(app, "POST", "/generate", {"prompt": "x"}, headers=headers)
    call(app, "GET", "/cache/stats", headers=headers)
    call(app, "POST", "/generate", {"prompt": "x"}, headers=[*JSON_HEADERS, ("x-api-key", "wrong")])
    call(app, "GET", "/livez")
    generated, refused, unknown, probe = log.entries
    assert (generated["tenant"], generated["key_id"], generated["cache"]) == ("acme", "k1", "miss")
    assert (refused["status"], refused["tenant"], refused["key_id"], refused["cache"]) == (403, "acme", "k1", None)
    assert (unknown["status"], unknown["tenant"], unknown["key_id"]) == (401, None, None)
    assert (probe["tenant"], probe["key_id"]) == (None, None)
    assert CANARY not in str(log.entries)


@pytest.mark.parametrize(
    ("told", "attempt"), [("1", 1), ("2", 2), ("", None), (CANARY, None), ("0", None), ("²", None)]
)
def test_it_tells_which_of_the_gateways_attempts_it_is_of(told: str, attempt: int | None, log: LogCapture) -> None:
    headers = [*JSON_HEADERS, ("x-envoy-attempt-count", told)]
    call(create_app(fake_backend()), "POST", "/generate", {"prompt": "x"}, headers=headers)
    assert log.entries[-1]["attempt"] == attempt
    assert CANARY not in str(log.entries)


def test_a_hostile_body_leaves_no_trace_of_itself(log: LogCapture) -> None:
    app = create_app(fake_backend())
    for body in (
        b'{"prompt": "%s", "prompt": 1}',
        b'{"%s": NaN}',
        b'{"prompt": 7, "x": "%s"}',
        b'{"model": "%s", "prompt": "x"}',
    ):
        answer = call(app, "POST", "/generate", body.replace(b"%s", CANARY.encode()))
        assert 400 <= answer.status < 500
        assert CANARY not in answer.body.decode()
    assert CANARY not in str(log.entries)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (Overloaded("Full.", retry_after_seconds=3), "overloaded"),
        (EngineCrashed("Gone."), "server_error"),
    ],
)
def test_the_outcome_is_of_the_closed_set(error: PodiumError, outcome: str, log: LogCapture) -> None:
    def script(_: GenerationRequest) -> PodiumError:
        return error

    observer = FakeObserver()
    call(create_app(fake_backend(script, observer=observer)), "POST", "/generate", {"prompt": "x"})
    assert [record.outcome for record in observer.records] == [outcome]
    assert log.entries[-1]["error_code"] == error.code


@pytest.mark.parametrize("stream", [False, True])
def test_what_a_failed_generation_had_computed_is_told_streamed_or_not(*, stream: bool, log: LogCapture) -> None:
    def script(request: GenerationRequest) -> list[Chunk | BaseException]:
        return [*story(request)[:3], EngineCrashed("The worker ended.")]

    call(create_app(fake_backend(script)), "POST", "/generate", {"prompt": "x", "stream": stream})
    line = log.entries[-1]
    assert line["outcome"] in {"server_error", "stream_error"}
    assert line["output_tokens"] == 3


def test_probes_are_logged_quietly(log: LogCapture) -> None:
    call(create_app(fake_backend()), "GET", "/livez")
    assert [entry["log_level"] for entry in log.entries] == ["debug"]


def test_an_unexpected_exception_is_logged_with_its_request(log: LogCapture) -> None:
    def script(_: GenerationRequest) -> PodiumError:
        raise RuntimeError("boom")

    call(create_app(fake_backend(script)), "POST", "/generate", {"prompt": "x"})
    unexpected, line = log.entries
    assert unexpected["log_level"] == "error"
    assert unexpected["request_id"] == line["request_id"]
