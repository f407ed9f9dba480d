"""Podium's own routes, under the names that the first sketch of the API used."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.errors import ContextLengthExceeded, MissingExtra
from podium.core.generation import Chunk, GenerationRequest, TextPrompt
from support.asgi import Answer, call
from support.http_doubles import FakeDispatcher, FakeGatekeeper, FakeHealth, FakeStatus, fake_backend


def ask(path: str, body: dict[str, Any] | None, dispatcher: FakeDispatcher | None = None, **options: Any) -> Answer:
    return call(create_app(fake_backend(dispatcher=dispatcher or FakeDispatcher())), "POST", path, body, **options)


def test_generate_answers_with_the_new_text_and_the_known_names() -> None:
    body = ask("/generate", {"model": "demo", "prompt": "Tell me.", "max_new_tokens": 3}).json
    time = body.pop("processing_time")
    assert 0 < time < 5
    assert body == {
        "generated_text": "The sea was",
        "input_length": 2,
        "output_length": 3,
        "model": "demo",
        "cached": False,
        "finish_reason": "length",
        "usage": {"prompt_tokens": 2, "completion_tokens": 3, "total_tokens": 5, "cached_tokens": 1},
    }


def test_return_full_text_puts_the_prompt_first() -> None:
    body = {"prompt": "Hi! ", "max_new_tokens": 1, "return_full_text": True}
    assert ask("/generate", body).json["generated_text"] == "Hi! The"
    tokens = ask("/generate", {**body, "stream": True}).data
    assert tokens[0]["text"] == "Hi! The"


def test_defaults_are_the_ones_the_course_taught() -> None:
    dispatcher = FakeDispatcher()
    ask("/generate", {"prompt": "x"}, dispatcher)
    sampling = dispatcher.requests[0].sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p) == (50, 1.0, 0.9)
    assert not sampling.is_greedy


def test_do_sample_false_is_greedy_whatever_the_temperature() -> None:
    dispatcher = FakeDispatcher()
    ask("/generate", {"prompt": "x", "do_sample": False, "temperature": 1.5}, dispatcher)
    assert dispatcher.requests[0].sampling.is_greedy


def test_several_choices_and_log_probabilities_can_be_had() -> None:
    body = ask("/generate", {"prompt": "x", "n": 2, "logprobs": 1, "max_new_tokens": 2}).json
    assert [choice["index"] for choice in body["choices"]] == [0, 1]
    assert body["logprobs"][0]["token"] == "The"
    assert body["logprobs"][0]["top"] == [{"token_id": 0, "token": "The", "logprob": -0.1}]


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"prompt": ""}, "prompt"),
        ({"prompt": 7}, "prompt"),
        ({"prompt": None}, "prompt"),
        ({"max_new_tokens": 0}, "max_new_tokens"),
        ({"do_sample": 1}, "do_sample"),
        ({"n": 9}, "n"),
        ({"top_p": 1.1}, "top_p"),
    ],
)
def test_refusals_have_the_native_shape(members: dict[str, Any], param: str) -> None:
    answer = ask("/generate", {"prompt": "x", **members})
    assert answer.status == 400
    error = answer.json["error"]
    assert set(error) == {"code", "message", "param", "request_id", "retryable"}
    assert (error["param"], error["retryable"]) == (param, False)
    assert error["request_id"] == answer.headers["x-request-id"]


def one_fails(request: GenerationRequest) -> Any:
    assert isinstance(request.prompt, TextPrompt)
    if request.prompt.text == "too long":
        return ContextLengthExceeded("The prompt is too long.", param="prompt")
    return [Chunk(0, request.prompt.text.upper(), token_count=1, finish_reason="stop", prompt_tokens=1)]


def test_each_prompt_of_a_batch_has_its_own_result_or_its_own_error() -> None:
    answer = ask("/batch_generate", {"prompts": ["a", "too long", "b"]}, FakeDispatcher(one_fails))
    assert answer.status == 200
    body = answer.json
    assert (body["model"], body["batch_size"]) == ("demo", 3)
    good, bad, other = body["results"]
    assert good == {
        "prompt": "a",
        "generated_text": "A",
        "input_length": 1,
        "output_length": 1,
        "finish_reason": "stop",
    }
    assert set(bad) == {"prompt", "error"}
    assert bad["error"]["code"] == "context_length_exceeded"
    assert other["generated_text"] == "B"
    assert body["usage"]["completion_tokens"] == 2


@pytest.mark.parametrize("prompts", [[], "x", ["x", 1], None, ["x"] * 65])
def test_a_batch_is_a_list_of_up_to_64_strings(prompts: object) -> None:
    answer = ask("/batch_generate", {"prompts": prompts})
    assert answer.status == 400
    assert answer.json["error"]["param"] == "prompts"


def test_an_unknown_model_fails_the_whole_batch() -> None:
    assert ask("/batch_generate", {"model": "nope", "prompts": ["x"]}).status == 404


def test_models_are_listed_by_name_with_their_state() -> None:
    body = call(create_app(fake_backend()), "GET", "/models").json
    assert body["total_models"] == 2
    assert {"path", "loaded_at", "request_count", "state", "memory_bytes"} <= set(body["models"]["demo"])


def test_two_versions_of_a_name_are_told_apart() -> None:
    dispatcher = FakeDispatcher()
    dispatcher.models.statuses[1].name = "demo"
    dispatcher.models.statuses[1].version = "2"
    body = call(create_app(fake_backend(dispatcher=dispatcher)), "GET", "/models").json
    assert set(body["models"]) == {"demo@1", "demo@2"}


def test_a_model_is_loaded_by_name_with_a_source_from_query_or_body() -> None:
    dispatcher = FakeDispatcher()
    assert ask("/models/demo/load", None, dispatcher).status == 200
    assert ask("/models/org/new/load", None, dispatcher, query="model_path=./x").status == 200
    assert ask("/models/org/new@2/load", {"model_path": "./y", "activate": False}, dispatcher).status == 200
    assert dispatcher.models.calls == [
        ("load", "demo", None, True),
        ("load", "org/new", "./x", True),
        ("load", "org/new@2", "./y", False),
    ]


def test_unloading_answers_with_the_measured_memory() -> None:
    body = ask("/models/org/alias/unload", None).json
    assert body["memory"] == {"before_bytes": 100, "loaded_bytes": 4196, "after_bytes": 101}


def test_a_failed_load_says_what_to_do() -> None:
    dispatcher = FakeDispatcher()
    dispatcher.models.failure = MissingExtra("Install it with: pip install 'podium[hf]'")
    answer = ask("/models/demo/load", None, dispatcher)
    assert (answer.status, answer.json["error"]["code"]) == (501, "missing_extra")


@pytest.mark.parametrize(
    ("state", "status", "code"),
    [
        (FakeHealth(), "healthy", 200),
        (FakeHealth(ready=False, reasons=("queue full",)), "unhealthy", 503),
        (FakeHealth(reasons=("other is failed",)), "degraded", 200),
        (FakeHealth(started=False, ready=False, reasons=("demo is loading",)), "starting", 503),
        (FakeHealth(live=False, ready=False, reasons=("demo makes no progress",)), "unhealthy", 503),
    ],
)
def test_health_tells_the_truth(state: FakeHealth, status: str, code: int) -> None:
    dispatcher = FakeDispatcher()
    dispatcher.models.state = state
    answer = call(create_app(fake_backend(dispatcher=dispatcher)), "GET", "/health")
    assert (answer.status, answer.json["status"], answer.json["reasons"]) == (code, status, list(state.reasons))
    info = answer.json["system_info"]
    assert {"cpu_percent", "memory_percent", "memory_available", "disk_usage", "gpu_available"} <= set(info)
    assert answer.json["uptime"] >= 5
    assert answer.json["models_loaded"] == ["demo", "other/model"]


@pytest.mark.parametrize(("path", "attribute"), [("/startupz", "started"), ("/livez", "live"), ("/readyz", "ready")])
def test_each_probe_follows_its_own_verdict(path: str, attribute: str) -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher))
    assert call(app, "GET", path).status == 200
    setattr(dispatcher.models.state, attribute, False)
    dispatcher.models.state.reasons = ("why",)
    answer = call(app, "GET", path)
    assert (answer.status, answer.json["reasons"]) == (503, ["why"])


@pytest.mark.parametrize("path", ["/v2/models/demo/ready", "/hf/demo/health"])
def test_a_model_whose_worker_is_being_restarted_is_not_ready(path: str) -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher))
    assert call(app, "GET", path).status == 200
    dispatcher.models.statuses[0] = FakeStatus(lives=False)
    assert call(app, "GET", path).status == 503


def test_draining_is_unready_and_still_live() -> None:
    app = create_app(fake_backend(draining=lambda: True))
    assert call(app, "GET", "/readyz").json == {"status": "not ready", "reasons": ["draining"]}
    assert call(app, "GET", "/livez").status == 200


def test_a_server_that_has_not_read_its_keys_yet_is_unready_and_live() -> None:
    app = create_app(fake_backend(gatekeeper=FakeGatekeeper(ready=False)))
    answer = call(app, "GET", "/readyz")
    assert (answer.status, answer.json) == (503, {"status": "not ready", "reasons": ["keys not read yet"]})
    assert call(app, "GET", "/livez").status == 200
    assert call(app, "GET", "/health").json["status"] == "unhealthy"


def test_metrics_come_as_prometheus_text() -> None:
    answer = call(create_app(fake_backend()), "GET", "/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert b"podium_up 1" in answer.body


def test_version_is_told() -> None:
    assert call(create_app(fake_backend()), "GET", "/version").json == {"version": "9.9"}
