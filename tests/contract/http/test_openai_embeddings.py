"""``POST /v1/embeddings``: OpenAI's contract, and what is refused."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
import pytest

from podium.api.app import create_app
from podium.api.openai.embeddings import MAX_INPUTS
from podium.core.errors import ContextLengthExceeded, RateLimited, UnsupportedTask
from podium.core.generation import TextPrompt, TokensPrompt
from podium.core.standing import Standing
from support.asgi import Answer, call
from support.http_doubles import FakeEmbedder, FakeObserver, fake_backend

THIRD = float(np.float32(-1 / 3))
FIRST, SECOND = [0.0, 0.25, THIRD], [1.0, 1.25, THIRD]


def embed(embedder: FakeEmbedder | None = None, **body: Any) -> Answer:
    return call(create_app(fake_backend(embedder=embedder or FakeEmbedder())), "POST", "/v1/embeddings", body)


def test_numbers_come_in_the_order_of_the_inputs_with_their_usage() -> None:
    answer = embed(input=["a b", "c"], model="demo")
    assert answer.status == 200
    assert answer.json == {
        "object": "list",
        "data": [
            {"index": 0, "embedding": FIRST, "object": "embedding"},
            {"index": 1, "embedding": SECOND, "object": "embedding"},
        ],
        "model": "demo",
        "usage": {"prompt_tokens": 3, "total_tokens": 3},
    }


def test_base64_holds_the_same_numbers_as_float32_in_little_endian() -> None:
    answer = embed(input="a", encoding_format="base64")
    decoded = np.frombuffer(base64.b64decode(answer.json["data"][0]["embedding"]), dtype="<f4")
    assert decoded.tolist() == FIRST


@pytest.mark.parametrize(
    ("given", "inputs"),
    [
        ("a", (TextPrompt("a"),)),
        (["a", "b"], (TextPrompt("a"), TextPrompt("b"))),
        ([1, 2], (TokensPrompt((1, 2)),)),
        ([[1], [2, 3]], (TokensPrompt((1,)), TokensPrompt((2, 3)))),
    ],
    ids=["text", "texts", "token ids", "lists of token ids"],
)
def test_the_four_forms_of_input_are_understood(given: Any, inputs: tuple[object, ...]) -> None:
    embedder = FakeEmbedder()
    assert embed(embedder, input=given, user="u").status == 200
    assert embedder.requests[0].inputs == inputs


def test_dimensions_deadline_and_priority_reach_the_model() -> None:
    embedder = FakeEmbedder()
    embed(embedder, input="a", dimensions=2, timeout_seconds=3, priority=4)
    (request,) = embedder.requests
    assert embedder.dimensions == [2]
    assert (request.timeout_seconds, request.priority) == (3.0, 4)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "input"),
        ({"input": ""}, "input"),
        ({"input": []}, "input"),
        ({"input": ["a", ""]}, "input"),
        ({"input": [[1], []]}, "input"),
        ({"input": ["a", 1]}, "input"),
        ({"input": [-1]}, "input"),
        ({"input": {"text": "a"}}, "input"),
        ({"input": "a", "encoding_format": "int8"}, "encoding_format"),
        ({"input": "a", "dimensions": 0}, "dimensions"),
        ({"input": "a", "dimensions": True}, "dimensions"),
        ({"input": ["a"] * (MAX_INPUTS + 1)}, "input"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(body: dict[str, Any], param: str) -> None:
    embedder = FakeEmbedder()
    answer = embed(embedder, **body)
    assert answer.status == 400
    assert answer.json["error"]["param"] == param
    assert answer.json["error"]["code"] == "invalid_request"
    assert not embedder.requests


def test_too_many_inputs_are_refused_with_both_numbers() -> None:
    message = embed(input=["a"] * 2049).json["error"]["message"]
    assert "2049" in message
    assert "2048" in message
    assert embed(input=["a"] * 2048).status == 200


def test_errors_of_the_model_keep_their_code_and_member() -> None:
    embedder = FakeEmbedder()
    embedder.failure = ContextLengthExceeded("Input 3 has 600 tokens; this model's context is 512.", param="input.3")
    answer = embed(embedder, input="a")
    assert answer.status == 400
    assert answer.json["error"] == {
        "message": "Input 3 has 600 tokens; this model's context is 512.",
        "type": "invalid_request_error",
        "param": "input.3",
        "code": "context_length_exceeded",
    }
    embedder.failure = UnsupportedTask("This model's task is generate, not embed.", param="model")
    assert embed(embedder, input="a").json["error"]["code"] == "unsupported_task"


def test_quotas_stand_in_the_headers_of_answers_and_refusals() -> None:
    standing = Standing("tokens_per_minute", "key", 60, 12, 30.0, 60)
    embedder = FakeEmbedder()
    embedder.standings = (standing,)
    assert embed(embedder, input="a").headers["x-ratelimit-remaining-tokens"] == "12"
    embedder.failure = RateLimited("Slow down.", retry_after_seconds=2.0, standings=(standing,))
    refused = embed(embedder, input="a")
    assert refused.status == 429
    assert refused.headers["retry-after"] == "2"
    assert refused.headers["x-ratelimit-limit-tokens"] == "60"


def test_the_request_is_counted_with_its_prompt_tokens() -> None:
    observer = FakeObserver()
    call(create_app(fake_backend(observer=observer)), "POST", "/v1/embeddings", {"input": ["a b", "c"]})
    (record,) = observer.records
    assert (record.route, record.model, record.engine) == ("/v1/embeddings", "demo", "fake")
    assert (record.usage.prompt_tokens, record.usage.completion_tokens) == (3, 0)
    assert record.outcome == "ok"
