"""Chat completions as OpenAI's clients and the load tools know them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.generation import ChatPrompt as Chat
from podium.core.generation import (
    Chunk,
    Constraint,
    GenerationRequest,
    Message,
    TokenLogprob,
    ToolCallDelta,
    ToolChoice,
)
from support.asgi import Answer, call
from support.http_doubles import FakeDispatcher, fake_backend

PATH = "/v1/chat/completions"
MESSAGES = [{"role": "user", "content": "hi"}]


def ask(body: dict[str, Any], dispatcher: FakeDispatcher | None = None, **options: Any) -> Answer:
    app = create_app(fake_backend(dispatcher=dispatcher or FakeDispatcher()))
    return call(app, "POST", PATH, {"messages": MESSAGES, **body}, **options)


def asked(body: dict[str, Any], **options: Any) -> GenerationRequest:
    """What reaches the dispatcher."""
    dispatcher = FakeDispatcher()
    answer = ask(body, dispatcher, **options)
    assert answer.status == 200, answer.body
    (request,) = dispatcher.requests
    return request


def refusal(body: dict[str, Any]) -> dict[str, Any]:
    answer = ask(body)
    assert answer.status == 400, answer.body
    error: dict[str, Any] = answer.json["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


def test_the_answer_has_the_published_shape() -> None:
    body = ask({"model": "demo", "max_tokens": 5}).json
    assert body["id"].startswith("chatcmpl-")
    assert body["object"] == "chat.completion"
    assert isinstance(body["created"], int)
    assert body["model"] == "demo"
    (choice,) = body["choices"]
    assert choice["message"] == {"role": "assistant", "content": "The sea was calm.", "refusal": None}
    assert (choice["index"], choice["logprobs"], choice["finish_reason"]) == (0, None, "length")
    assert body["usage"] == {
        "prompt_tokens": 1,
        "completion_tokens": 5,
        "total_tokens": 6,
        "prompt_tokens_details": {"cached_tokens": 1},
        "completion_tokens_details": {"reasoning_tokens": 0},
    }


def test_the_stream_has_the_published_shape() -> None:
    answer = ask({"stream": True, "max_tokens": 5})
    assert answer.headers["content-type"].startswith("text/event-stream")
    *chunks, done = answer.data
    assert done == "[DONE]"
    assert {(c["id"], c["created"], c["model"], c["object"]) for c in chunks} == {
        (chunks[0]["id"], chunks[0]["created"], "demo", "chat.completion.chunk")
    }
    choices = [chunk["choices"][0] for chunk in chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": "The"}
    assert all("role" not in choice["delta"] for choice in choices[1:])
    assert [choice["finish_reason"] for choice in choices] == [None] * 4 + ["length"]
    assert all("usage" not in chunk for chunk in chunks)
    assert "".join(choice["delta"].get("content", "") for choice in choices) == "The sea was calm."


def test_include_usage_puts_null_on_chunks_and_ends_with_a_chunk_without_choices() -> None:
    *chunks, usage, done = ask({"stream": True, "stream_options": {"include_usage": True}}).data
    assert done == "[DONE]"
    assert all(chunk["usage"] is None for chunk in chunks)
    assert usage["choices"] == []
    assert usage["usage"]["total_tokens"] == 6


def test_continuous_usage_stats_run_in_every_chunk() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    *chunks, usage, _ = ask({"stream": True, "stream_options": options, "n": 2}).data
    assert [chunk["usage"]["completion_tokens"] for chunk in chunks] == list(range(1, 11))
    assert usage["usage"]["completion_tokens"] == 10


def test_a_piece_without_text_sends_no_event_but_the_first_and_the_last_do() -> None:
    def script(_: GenerationRequest) -> list[Chunk]:
        return [Chunk(0, "", token_count=1), Chunk(0, "", token_count=1), Chunk(0, "é", token_count=1),
                Chunk(0, "", token_count=1, finish_reason="stop")]  # fmt: skip

    *chunks, _ = ask({"stream": True}, FakeDispatcher(script)).data
    assert [chunk["choices"][0]["delta"] for chunk in chunks] == [
        {"role": "assistant", "content": ""},
        {"content": "é"},
        {},
    ]
    assert chunks[-1]["choices"][0]["finish_reason"] == "stop"


def test_n_choices_come_together() -> None:
    assert [choice["index"] for choice in ask({"n": 3}).json["choices"]] == [0, 1, 2]
    *chunks, _ = ask({"n": 3, "stream": True}).data
    assert sorted({chunk["choices"][0]["index"] for chunk in chunks}) == [0, 1, 2]
    roles = [chunk["choices"][0]["index"] for chunk in chunks if "role" in chunk["choices"][0]["delta"]]
    assert roles == [0, 1, 2]


@pytest.mark.parametrize("streaming", [False, True])
def test_logprobs_have_tokens_bytes_and_alternatives(streaming: object) -> None:
    answer = ask({"logprobs": True, "top_logprobs": 2, "stream": streaming, "max_tokens": 2})
    choices = [event["choices"][0] for event in answer.data[:-1]] if streaming else answer.json["choices"]
    entries = [entry for choice in choices for entry in choice["logprobs"]["content"]]
    assert entries[1] == {
        "token": " sea",
        "logprob": -0.2,
        "bytes": list(b" sea"),
        "top_logprobs": [
            {"token": " sea", "logprob": -0.2, "bytes": list(b" sea")},
            {"token": "~1", "logprob": -1.2, "bytes": list(b"~1")},
        ],
    }


def test_minus_infinity_becomes_a_number() -> None:
    def script(_: GenerationRequest) -> list[Chunk]:
        entry = TokenLogprob(1, "x", float("-inf"), ((1, "x", float("-inf")),))
        return [Chunk(0, "x", token_count=1, logprobs=(entry,), finish_reason="stop")]

    (entry,) = ask({"logprobs": True}, FakeDispatcher(script)).json["choices"][0]["logprobs"]["content"]
    assert entry["logprob"] == -9999.0


def test_members_reach_the_engine() -> None:
    sampling = asked(
        {
            "temperature": 0, "top_p": 0.5, "top_k": -1, "min_p": 0.1, "n": 2, "seed": 7, "stop": "x",
            "logit_bias": {"3": -5}, "max_tokens": 9, "max_completion_tokens": 8, "min_tokens": 2, "ignore_eos": True,
            "stop_token_ids": [4],
            "repetition_penalty": 1.1, "presence_penalty": 0.2, "frequency_penalty": 0.3,
        }
    ).sampling  # fmt: skip
    assert sampling.temperature == 0
    assert (sampling.top_p, sampling.top_k, sampling.min_p, sampling.n, sampling.seed) == (0.5, 0, 0.1, 2, 7)
    assert (sampling.stop, sampling.stop_token_ids, sampling.logit_bias) == (("x",), (4,), {3: -5.0})
    assert (sampling.max_tokens, sampling.min_tokens, sampling.ignore_eos) == (8, 2, True)
    assert (sampling.repetition_penalty, sampling.presence_penalty, sampling.frequency_penalty) == (1.1, 0.2, 0.3)


NULLABLE = (
    "logprobs", "top_logprobs", "temperature", "top_p", "n", "seed", "stop", "max_tokens", "stream", "stream_options",
    "tools", "tool_choice", "response_format", "logit_bias", "user", "metadata", "presence_penalty",
    "frequency_penalty",
)  # fmt: skip


def test_null_members_mean_the_default() -> None:
    assert asked(dict.fromkeys(NULLABLE)).sampling == asked({}).sampling


def test_text_parts_are_joined_and_template_members_are_kept() -> None:
    calls = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}]
    known = [{"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": 1}}}]
    prompt = asked(
        {
            "messages": [
                {"role": "system", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
                {"role": "assistant", "content": None, "tool_calls": calls},
                {"role": "tool", "content": "1", "tool_call_id": "c"},
            ],
            "tools": [{"type": "function", "function": {"name": "f"}}],
        }
    ).prompt
    assert isinstance(prompt, Chat)
    assert prompt.messages == (
        Message("system", "a\nb"),
        Message("assistant", None, extra={"tool_calls": known}),
        Message("tool", "1", extra={"tool_call_id": "c"}),
    )
    assert len(prompt.tools) == 1
    assert prompt.add_generation_prompt


TOOLS = {
    "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"type": "object"}}}]
}
MALFORMED_CALL = {"id": "c", "function": {"name": "f", "arguments": "no"}}
LARGE = {"type": "function", "function": {"name": "f", "parameters": {"x": "y" * 70000}}}
NAMED = {"type": "function", "function": {"name": "f"}}


@pytest.mark.parametrize(
    ("body", "choice"),
    [
        ({}, ToolChoice()),
        ({"tool_choice": "auto", "parallel_tool_calls": False}, ToolChoice(parallel=False)),
        ({"tool_choice": "required"}, ToolChoice(required=True)),
        ({"tool_choice": NAMED}, ToolChoice(name="f")),
    ],
)
def test_tools_and_what_may_be_done_with_them_reach_the_model(body: dict[str, Any], choice: ToolChoice) -> None:
    prompt = asked({**TOOLS, **body}).prompt
    assert isinstance(prompt, Chat)
    assert (list(prompt.tools), prompt.tool_choice) == (TOOLS["tools"], choice)


def test_tool_choice_none_hides_the_tools() -> None:
    hidden = asked({**TOOLS, "tool_choice": "none"}).prompt
    assert isinstance(hidden, Chat)
    assert hidden.tools == ()


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"tool_choice": "required"}, "tool_choice"),
        ({**TOOLS, "tool_choice": {"type": "function", "function": {"name": "g"}}}, "tool_choice"),
        ({**TOOLS, "tool_choice": "perhaps"}, "tool_choice"),
        ({"tools": TOOLS["tools"] * 2}, "tools"),
        ({**TOOLS, "response_format": {"type": "json_object"}}, "response_format"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        (
            {**TOOLS, "messages": [{"role": "assistant", "tool_calls": [MALFORMED_CALL]}]},
            "messages.0.tool_calls.0.function.arguments",
        ),
        ({"tools": [LARGE], "tool_choice": "required"}, "tools"),
    ],
)
def test_tools_that_cannot_be_called_as_asked_are_refused_by_name(body: dict[str, Any], param: str) -> None:
    assert refusal(body)["param"].startswith(param)


def calling(_: GenerationRequest) -> list[Chunk]:
    deltas = (ToolCallDelta(0, "f"), ToolCallDelta(0, None, '{"a":'))
    return [
        Chunk(0, "So.", token_count=1),
        Chunk(0, token_count=1, tool_calls=deltas),
        Chunk(0, token_count=1, tool_calls=(ToolCallDelta(0, None, "1}"), ToolCallDelta(1, "g", "{}"))),
        Chunk(0, token_count=1, finish_reason="tool_calls"),
    ]


def test_calls_are_members_of_the_message() -> None:
    (choice,) = ask(TOOLS, FakeDispatcher(calling)).json["choices"]
    message = choice["message"]
    assert (choice["finish_reason"], message["content"]) == ("tool_calls", "So.")
    assert [call["function"] for call in message["tool_calls"]] == [
        {"name": "f", "arguments": '{"a":1}'},
        {"name": "g", "arguments": "{}"},
    ]
    assert len({call["id"] for call in message["tool_calls"]}) == 2
    silent = ask(TOOLS, FakeDispatcher(lambda request: calling(request)[1:])).json["choices"][0]["message"]
    assert silent["content"] is None


SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}


@pytest.mark.parametrize(
    ("members", "constraint"),
    [
        ({"response_format": {"type": "text"}}, None),
        ({"response_format": {"type": "json_object"}}, Constraint("json_schema", '{"type":"object"}')),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SCHEMA}}},
            Constraint("json_schema", json.dumps(SCHEMA, separators=(",", ":"))),
        ),
        ({"structured_outputs": {"regex": "a+"}}, Constraint("regex", "a+")),
        (
            {"structured_outputs": {"json": SCHEMA}},
            Constraint("json_schema", json.dumps(SCHEMA, separators=(",", ":"))),
        ),
        ({"guided_json": '{"type":"string"}'}, Constraint("json_schema", '{"type":"string"}')),
        ({"guided_regex": "b"}, Constraint("regex", "b")),
    ],
)
def test_output_can_be_constrained_in_every_spelling(members: dict[str, Any], constraint: Constraint | None) -> None:
    assert asked(members).sampling.constraint == constraint


def test_the_deadline_comes_from_the_header_or_the_body_whichever_is_shorter() -> None:
    headers = [("host", "a"), ("content-type", "application/json"), ("x-podium-timeout-seconds", "2.5")]
    assert asked({"timeout_seconds": 9}, headers=headers).timeout_seconds == 2.5
    assert asked({"timeout_seconds": 1}, headers=headers).timeout_seconds == 1
    assert asked({}, headers=headers).timeout_seconds == 2.5
    assert asked({"priority": -3}).priority == -3


@pytest.mark.parametrize("value", ["0", "-1", "x", "nan", "inf", "1e9", "99999999", "²"])
def test_an_unusable_deadline_header_is_refused(value: str) -> None:
    headers = [("host", "a"), ("content-type", "application/json"), ("x-podium-timeout-seconds", value)]
    answer = ask({}, headers=headers)
    assert answer.status == 400
    assert answer.json["error"]["param"] == "x-podium-timeout-seconds"


def test_unknown_members_are_tolerated_and_named_in_a_header() -> None:
    answer = ask({"max_token": 3, "zzz": 1, "bad name": 2, "é": 3, "cache_salt": "x"})
    assert answer.status == 200
    assert answer.headers["x-podium-ignored"] == "max_token,zzz,cache_salt"
    many = ask({f"u{number}": 1 for number in range(20)}, None)
    assert len(many.headers["x-podium-ignored"].split(",")) == 8
    assert "x-podium-ignored" in ask({"zzz": 1, "stream": True}).headers


REFUSED: dict[str, dict[str, Any]] = {
    "messages": {"messages": []},
    "messages.0.role": {"messages": [{"role": "robot", "content": "x"}]},
    "messages.0.content": {
        "messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]
    },
    "messages.1.content": {"messages": [{"role": "user", "content": "x"}, {"role": "user"}]},
    "max_tokens": {"max_tokens": 2**62},
    "max_completion_tokens": {"max_completion_tokens": 0},
    "n": {"n": 9},
    "stop": {"stop": ["x"] * 17},
    "temperature": {"temperature": 2.1},
    "top_p": {"top_p": 0},
    "top_logprobs": {"logprobs": True, "top_logprobs": 21},
    "logprobs": {"logprobs": 1},
    "seed": {"seed": 1.5},
    "stream": {"stream": "true"},
    "logit_bias": {"logit_bias": {"x": 1}},
    "stop_token_ids": {"stop_token_ids": [-1]},
    "stream_options": {"stream_options": {"include_usage": True}},
    "response_format.type": {"response_format": {"type": "xml"}},
    "response_format.json_schema": {"response_format": {"type": "json_schema"}},
    "structured_outputs": {"guided_regex": "a", "guided_json": {}},
    "tools": {"tools": TOOLS["tools"] * 129},
    "priority": {"priority": 101},
    "timeout_seconds": {"timeout_seconds": 0},
    "min_tokens": {"min_tokens": 5, "max_tokens": 4},
    "model": {"model": 7},
}


@pytest.mark.parametrize("param", REFUSED)
def test_a_refusal_names_the_member_and_says_what_is_allowed(param: str) -> None:
    error = refusal(REFUSED[param])
    assert error["param"] == param
    assert f"`{param}`" in error["message"]
    assert error["type"] == "invalid_request_error"


@pytest.mark.parametrize("value", [True, "7", 7.5, [7], {}, 2**62, -1])
def test_a_token_limit_is_a_positive_integer_and_nothing_like_it(value: object) -> None:
    assert refusal({"max_tokens": value})["param"] == "max_tokens"


@pytest.mark.parametrize("levels", [65, 900, 100_000])
def test_json_in_a_string_is_bounded_in_depth_as_a_body_is(levels: int) -> None:
    deep = '{"a":' * levels + "1" + "}" * levels
    call = {"id": "c", "function": {"name": "f", "arguments": deep}}
    error = refusal({"messages": [{"role": "assistant", "tool_calls": [call]}]})
    assert error["param"] == "messages.0.tool_calls.0.function.arguments"
    assert refusal({"guided_json": deep})["param"] == "structured_outputs"


def test_a_grammar_bomb_is_refused_by_its_size() -> None:
    assert refusal({"guided_regex": "(a|b)" * 20_000})["param"] == "structured_outputs"


def test_an_unknown_model_is_404() -> None:
    answer = ask({"model": "../../etc/passwd"})
    assert answer.status == 404
    assert answer.json["error"]["code"] == "model_not_found"
    assert "passwd" not in answer.body.decode()
