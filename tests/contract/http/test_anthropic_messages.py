"""``/v1/messages``: Anthropic's contract, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, Overloaded, PodiumError, RateLimited
from podium.core.generation import ChatPrompt, Chunk, Message
from support.asgi import JSON_HEADERS, Answer, call
from support.http_doubles import WORDS, FakeDispatcher, fake_backend, story

TURNS = [{"role": "user", "content": "hi"}]
TEXT = "The sea was calm."


def ask(dispatcher: FakeDispatcher | None = None, path: str = "/v1/messages", **body: Any) -> Answer:
    given = {"messages": TURNS, "max_tokens": len(WORDS), **body}
    return call(create_app(fake_backend(dispatcher=dispatcher or FakeDispatcher())), "POST", path, given)


def events(answer: Answer) -> list[tuple[str, dict[str, Any]]]:
    found = []
    for block in answer.body.decode().strip().split("\n\n"):
        name, data = block.split("\n")
        found.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
    return found


def test_a_whole_message_has_its_text_reason_and_tokens() -> None:
    answer = ask(model="demo")
    assert answer.status == 200
    body = answer.json
    assert body.pop("id").startswith("msg-")
    assert body == {
        "type": "message",
        "role": "assistant",
        "model": "demo",
        "content": [{"text": TEXT, "type": "text"}],
        "stop_reason": "max_tokens",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 0,
            "output_tokens": len(WORDS),
            "cache_read_input_tokens": 1,
            "cache_creation_input_tokens": 0,
        },
    }
    assert answer.headers["request-id"] == answer.headers["x-request-id"]


def test_a_stream_is_one_block_between_the_start_and_the_end_of_a_message() -> None:
    found = events(ask(stream=True))
    assert [name for name, _ in found] == [data["type"] for _, data in found]
    names = [name for name, _ in found if name != "content_block_delta"]
    assert names == ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]
    assert found[0][1]["message"]["content"] == []
    assert found[0][1]["message"]["usage"]["cache_read_input_tokens"] == 1
    deltas = [data["delta"] for name, data in found if name == "content_block_delta"]
    assert all(delta["type"] == "text_delta" for delta in deltas)
    assert "".join(delta["text"] for delta in deltas) == TEXT
    end = dict(found)["message_delta"]
    assert end["delta"] == {"stop_reason": "max_tokens", "stop_sequence": None}
    assert end["usage"]["output_tokens"] == len(WORDS)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("chunk", "reason", "sequence"),
    [
        (Chunk(0, "a", token_count=1, finish_reason="length", prompt_tokens=1), "max_tokens", None),
        (
            Chunk(0, "a", token_count=1, finish_reason="stop", stop_reason="END", prompt_tokens=1),
            "stop_sequence",
            "END",
        ),
        (Chunk(0, "a", token_count=1, finish_reason="stop", stop_reason=7, prompt_tokens=1), "end_turn", None),
    ],
    ids=["length", "stop string", "stop token"],
)
def test_why_it_ended_is_told_in_anthropic_s_words(
    chunk: Chunk,
    reason: str,
    sequence: str | None,
    stream: bool,  # noqa: FBT001
) -> None:
    answer = ask(FakeDispatcher(lambda _: [chunk]), stream=stream)
    body = dict(events(answer))["message_delta"]["delta"] if stream else answer.json
    assert (body["stop_reason"], body["stop_sequence"]) == (reason, sequence)


def test_tokens_from_the_prefix_cache_are_counted_apart() -> None:
    chunk = Chunk(0, "a", token_count=1, finish_reason="stop", prompt_tokens=10, cached_tokens=8)
    usage = ask(FakeDispatcher(lambda _: [chunk])).json["usage"]
    assert (usage["input_tokens"], usage["cache_read_input_tokens"]) == (2, 8)


def test_system_blocks_and_turns_reach_the_chat_template() -> None:
    dispatcher = FakeDispatcher()
    text_blocks = [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": {"type": "ephemeral"}}]
    turns = [{"role": "user", "content": text_blocks}, {"role": "assistant", "content": "c"}, *TURNS]
    assert ask(dispatcher, messages=turns, system=text_blocks).status == 200
    (request,) = dispatcher.requests
    assert request.prompt == ChatPrompt(
        (
            Message(role="system", content="ab"),
            Message(role="user", content="ab"),
            Message(role="assistant", content="c"),
            Message(role="user", content="hi"),
        )
    )


def test_sampling_and_headers_reach_the_model() -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher))
    body = {"messages": TURNS, "max_tokens": 9, "temperature": 0, "top_p": 0.5, "top_k": 3, "stop_sequences": ["x"]}
    headers = [("idempotency-key", "k"), ("x-podium-timeout-seconds", "3"), ("cache-control", "no-store")]
    assert call(app, "POST", "/v1/messages", body, headers=[*JSON_HEADERS, *headers]).status == 200
    (request,) = dispatcher.requests
    sampling = request.sampling
    assert (sampling.max_tokens, sampling.temperature, sampling.top_p, sampling.top_k, sampling.stop) == (
        *(9, 0.0, 0.5, 3),
        ("x",),
    )
    assert (request.idempotency_key, request.timeout_seconds, request.cache.write) == ("k", 3.0, False)


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"max_tokens": None}, "max_tokens"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"messages": []}, "messages"),
        ({"messages": [{"role": "system", "content": "x"}]}, "role"),
        ({"messages": [{"role": "user", "content": [{"type": "image", "source": {}}]}]}, "list of blocks"),
        ({"messages": [{"role": "user", "content": [{"type": "tool_result"}]}]}, "tool_use_id"),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": {}}]}]},
            "assistant's",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "a", "name": "b", "input": "{}"}]}]},
            "input",
        ),
        ({"messages": [*TURNS, {"role": "assistant", "content": "Sure"}]}, "last message"),
        ({"temperature": 1.5}, "temperature"),
        ({"stop_sequences": [""]}, "stop_sequences"),
        ({"stop_sequences": [" "]}, "stop_sequences"),
        ({"tools": [{"name": "t", "type": "web_search_20250305"}]}, "tools.0.type"),
        ({"tools": [{"name": "t"}]}, "tools.0.input_schema"),
        ({"tools": [{"name": "t", "input_schema": {}}] * 2}, "same name"),
        ({"tool_choice": {"type": "any"}}, "tool_choice"),
        ({"tool_choice": {"type": "tool", "name": "t"}}, "tool_choice"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, "thinking"),
    ],
)
def test_what_is_wrong_or_would_change_the_answer_unseen_is_refused_by_name(body: dict[str, Any], word: str) -> None:
    dispatcher = FakeDispatcher()
    answer = ask(dispatcher, **body)
    assert answer.status == 400
    assert answer.json["type"] == "error"
    assert answer.json["error"]["type"] == "invalid_request_error"
    assert word in answer.json["error"]["message"]
    assert answer.json["request_id"] == answer.headers["x-request-id"]
    assert not dispatcher.requests


@pytest.mark.parametrize(
    ("failure", "status", "kind"),
    [
        (Overloaded("Full.", retry_after_seconds=2.0), 529, "overloaded_error"),
        (RateLimited("Slow.", retry_after_seconds=2.0), 429, "rate_limit_error"),
        (EngineCrashed("Gone."), 503, "overloaded_error"),
    ],
)
def test_errors_before_the_first_byte_have_anthropic_s_shape(failure: PodiumError, status: int, kind: str) -> None:
    answer = ask(FakeDispatcher(lambda _: failure))
    assert (answer.status, answer.json["error"]["type"]) == (status, kind)


def test_a_failure_in_a_stream_is_an_error_event_and_no_end() -> None:
    found = events(
        ask(FakeDispatcher(lambda request: [*list(story(request))[:2], EngineCrashed("Gone.")]), stream=True)
    )
    assert found[-1][0] == "error"
    assert found[-1][1]["error"] == {"type": "overloaded_error", "message": "Gone."}
    assert not {"content_block_stop", "message_delta", "message_stop"} & {name for name, _ in found}


def test_tokens_are_counted_without_generating() -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher))
    answer = call(app, "POST", "/v1/messages/count_tokens", {"messages": TURNS, "system": "be brief"})
    assert (answer.status, answer.json.keys()) == (200, {"input_tokens"})
    assert answer.json["input_tokens"] > 0
    assert not dispatcher.requests
