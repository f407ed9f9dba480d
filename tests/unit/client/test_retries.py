"""When a call is tried again, and after how long."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

import httpx
import pytest

from podium.client import (
    AnswerBroken,
    ModelClient,
    Refused,
    Retries,
    SyncModelClient,
    Unreachable,
)

OK = {
    "generated_text": "x", "input_length": 1, "output_length": 1, "model": "demo", "cached": False,
    "processing_time": 0.1, "finish_reason": "stop", "brand_new": 1,
    "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2, "cached_tokens": None},
}  # fmt: skip
ERROR = {"code": "overloaded", "message": "Full.", "param": None, "request_id": "r1", "retryable": True}


def refusal(status: int, **headers: str) -> httpx.Response:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return httpx.Response(status, json={"error": ERROR}, headers=named)


@pytest.mark.parametrize(
    ("response", "seconds"),
    [
        (refusal(503, retry_after="7"), 7.0),
        (refusal(429, retry_after="7", retry_after_ms="1500"), 1.5),
        (refusal(503, retry_after="61"), None),
        (refusal(503, retry_after="7", x_should_retry="false"), None),
        (refusal(409, retry_after="7", x_should_retry="true"), 7.0),
        (refusal(400), None),
        (refusal(404), None),
    ],
)
def test_the_server_says_when_to_come_back(response: httpx.Response, seconds: float | None) -> None:
    assert Retries().wait_seconds(0, response) == seconds


def test_without_a_wish_the_wait_doubles_up_to_a_bound_and_varies() -> None:
    retries = Retries(most=9, chance=random.Random(1))  # noqa: S311 - no secret
    waits = [retries.wait_seconds(tried, refusal(500)) or 0.0 for tried in range(9)]
    for tried, wait in enumerate(waits):
        longest = min(8.0, 0.5 * 2.0**tried)
        assert longest / 2 <= wait <= longest
    assert retries.wait_seconds(9, refusal(500)) is None
    assert retries.wait_seconds(0, None) is not None


def answers(
    *steps: httpx.Response | Exception,
) -> tuple[Callable[[httpx.Request], httpx.Response], list[httpx.Request]]:
    """A server that answers with one step after the other, and the requests that came."""
    left = list(steps)
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        step = left.pop(0)
        if isinstance(step, Exception):
            raise step
        return step

    return handle, seen


def test_a_retry_is_the_same_request_under_the_same_idempotency_key() -> None:
    handle, seen = answers(httpx.ConnectError("no"), refusal(503, retry_after_ms="1"), httpx.Response(200, json=OK))
    retries = Retries(chance=random.Random(1))  # noqa: S311 - no secret
    with SyncModelClient("http://x", api_key="k", retries=retries, transport=httpx.MockTransport(handle)) as client:
        assert client.generate("demo", "hi", max_new_tokens=1).generated_text == "x"
    assert [request.headers["authorization"] for request in seen] == ["Bearer k"] * 3
    assert len({(request.headers["idempotency-key"], request.content) for request in seen}) == 1


async def call_async(transport: httpx.MockTransport) -> None:
    async with ModelClient("http://x", retries=Retries(most=0), transport=transport) as client:
        await client.generate(None, "hi")


def call_sync(transport: httpx.MockTransport) -> None:
    with SyncModelClient("http://x", retries=Retries(most=0), transport=transport) as client:
        client.generate(None, "hi")


FAILURES: dict[str, tuple[Callable[[], httpx.Response | Exception], type[Exception], str]] = {
    "an error": (lambda: refusal(503, retry_after="7"), Refused, "Full."),
    "an error of a gateway": (lambda: httpx.Response(503, text="no healthy upstream"), Refused, "no healthy upstream"),
    "no answer": (lambda: httpx.ConnectError("refused"), Unreachable, "refused"),
    "an answer of something else": (lambda: httpx.Response(200, json={"a": 1}), AnswerBroken, "Podium's format"),
}


@pytest.mark.parametrize("call", [call_sync, lambda transport: asyncio.run(call_async(transport))])
@pytest.mark.parametrize("name", FAILURES)
def test_a_failure_says_what_happened(name: str, call: Callable[[httpx.MockTransport], None]) -> None:
    step, kind, words = FAILURES[name]
    handle, _ = answers(step())
    with pytest.raises(kind, match=words) as caught:
        call(httpx.MockTransport(handle))
    if name == "an error":
        error = caught.value
        assert isinstance(error, Refused)
        assert (error.code, error.status, error.request_id, error.retry_after_seconds, error.retryable) == (
            *("overloaded", 503, "r1", 7.0),
            True,
        )


def test_prompts_that_failed_for_the_moment_are_sent_again_and_others_are_not() -> None:
    usage = OK["usage"]
    busy, wrong = {**ERROR}, {**ERROR, "code": "invalid_request", "retryable": False}
    first = [{"prompt": "a", "error": busy}, {"prompt": "b", "generated_text": "B"}, {"prompt": "c", "error": wrong}]
    handle, seen = answers(
        httpx.Response(200, json={"model": "demo", "results": first, "usage": usage}),
        httpx.Response(
            200, json={"model": "demo", "results": [{"prompt": "a", "generated_text": "A"}], "usage": usage}
        ),
    )
    told: list[tuple[int, int]] = []
    with SyncModelClient("http://x", transport=httpx.MockTransport(handle)) as client:
        result = client.batch_generate(None, ["a", "b", "c"], progress=lambda done, of: told.append((done, of)))
    assert [one.generated_text for one in result.results] == ["A", "B", None]
    assert [one.error.code for one in result.failed if one.error] == ["invalid_request"]
    assert told == [(2, 3), (3, 3)]
    assert result.usage.total_tokens == 4
    assert b'"a"' in seen[1].content
    assert b'"b"' not in seen[1].content
