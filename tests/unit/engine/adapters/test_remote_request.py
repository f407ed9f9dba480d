"""What is sent to a remote server."""

from __future__ import annotations

from typing import Any

import pytest

from podium.core.errors import UnsupportedParameter
from podium.core.generation import (
    ChatPrompt,
    Constraint,
    Message,
    Prompt,
    SamplingParams,
    TextPrompt,
    TokensPrompt,
    ToolChoice,
)
from podium.engine.adapters.remote_request import Dialect, OutgoingRequest, build
from podium.engine.interface import EngineSequence

PLAIN = Dialect("far", extended=False)
VLLM = Dialect("far", extended=True)
CHAT = ChatPrompt(
    messages=(Message(role="system", content="Be brief."), Message(role="user", content="Hi", name="Ann"))
)
TEXT = TextPrompt("Once")


def request(prompt: Prompt, dialect: Dialect = PLAIN, *, default: int = 16, **sampling: Any) -> OutgoingRequest:
    """The request for one sequence."""
    tokens = isinstance(prompt, TokensPrompt)
    return build(
        EngineSequence(
            id=1,
            token_ids=prompt.token_ids if isinstance(prompt, TokensPrompt) else (),
            sampling=SamplingParams(**sampling),
            stop_token_ids=frozenset(),
            max_tokens=default,
            prompt=None if tokens else prompt,  # type: ignore[arg-type]
        ),
        dialect,
    )


def test_a_chat_goes_to_the_chat_route_with_its_messages() -> None:
    sent = request(CHAT)
    assert sent.path == "/chat/completions"
    assert sent.body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi", "name": "Ann"},
    ]


def test_text_goes_to_the_completion_route() -> None:
    assert (request(TEXT).path, request(TEXT).body["prompt"]) == ("/completions", "Once")


def test_token_ids_are_sent_as_they_are() -> None:
    assert request(TokensPrompt((5, 6))).body["prompt"] == [5, 6]


def test_every_request_streams_and_asks_for_usage_and_names_its_temperature() -> None:
    body = request(TEXT).body
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})
    assert (body["model"], body["temperature"], body["top_p"], body["max_tokens"]) == ("far", 1.0, 1.0, 16)


def test_parameters_of_the_protocol_are_sent_to_every_server() -> None:
    sampling: dict[str, Any] = {
        "temperature": 0.0,
        "top_p": 0.5,
        "presence_penalty": 0.25,
        "frequency_penalty": -0.5,
        "seed": 0,
        "max_tokens": 3,
    }
    body = request(TEXT, **sampling, stop=("a", "b"), logit_bias={7: -1.0}).body
    assert {name: body[name] for name in sampling} == sampling
    assert (body["stop"], body["logit_bias"]) == (["a", "b"], {"7": -1.0})


def test_zero_tokens_are_asked_for_as_such() -> None:
    assert request(TEXT, max_tokens=0, echo=True).body["max_tokens"] == 0


def test_without_a_limit_none_is_sent() -> None:
    assert "max_tokens" not in request(CHAT, default=0).body


def test_log_probabilities_have_each_routes_own_form() -> None:
    chat = request(CHAT, logprobs=3).body
    assert (chat["logprobs"], chat["top_logprobs"]) == (True, 3)
    assert request(TEXT, logprobs=3).body["logprobs"] == 3


def test_extensions_go_only_to_servers_that_know_them() -> None:
    sampling: dict[str, Any] = {
        "top_k": 5,
        "min_p": 0.1,
        "repetition_penalty": 1.5,
        "min_tokens": 2,
        "ignore_eos": True,
    }
    assert not request(TEXT, **sampling).body.keys() & sampling.keys()
    body = request(TEXT, VLLM, **sampling).body
    assert {name: body[name] for name in sampling} == sampling
    assert body["stream_options"]["continuous_usage_stats"] is True


def test_every_parameter_is_sent_or_declared_unsupported() -> None:
    """A new field of SamplingParams must not be dropped in silence."""
    resolved_above = {"n"}
    changed: dict[str, Any] = {
        "max_tokens": 5, "min_tokens": 2, "temperature": 0.5, "top_p": 0.5, "top_k": 3, "min_p": 0.5,
        "repetition_penalty": 2.0, "presence_penalty": 1.0, "frequency_penalty": 1.0, "stop": ("x",),
        "stop_token_ids": (4,), "seed": 9, "logprobs": 1, "echo": True, "logit_bias": {1: 1.0}, "ignore_eos": True,
        "constraint": Constraint("json_schema", "{}"),
    }  # fmt: skip
    assert changed.keys() | resolved_above == set(SamplingParams.__struct_fields__)
    plain = request(TEXT, VLLM).body
    for name, value in changed.items():
        assert request(TEXT, VLLM, **{name: value}).body != plain, name
        if name not in PLAIN.unsupported() and name != "constraint":
            assert request(TEXT, PLAIN, **{name: value}).body != request(TEXT).body, name


def test_a_schema_is_a_response_format() -> None:
    constraint = Constraint("json_schema", '{"type": "object"}')
    expected = {"type": "json_schema", "json_schema": {"name": "answer", "strict": True, "schema": {"type": "object"}}}
    assert request(CHAT, constraint=constraint).body["response_format"] == expected
    assert request(TEXT, VLLM, constraint=constraint).body["response_format"] == expected


def test_a_regex_goes_only_to_a_server_that_knows_it() -> None:
    constraint = Constraint("regex", "a+")
    assert request(CHAT, VLLM, constraint=constraint).body["structured_outputs"] == {"regex": "a+"}
    with pytest.raises(UnsupportedParameter) as caught:
        request(CHAT, constraint=constraint)
    assert caught.value.param == "constraint"


def test_tools_and_earlier_calls_are_passed_on() -> None:
    tool = {"type": "function", "function": {"name": "f"}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": {"a": "é"}}}
    turns = (
        Message("assistant", None, extra={"tool_calls": [call]}),
        Message("tool", "1", extra={"tool_call_id": "c"}),
    )
    prompt = ChatPrompt(turns, (tool,), tool_choice=ToolChoice(name="f", parallel=False))
    body = request(prompt).body
    assert (body["tools"], body["tool_choice"]) == ([tool], {"type": "function", "function": {"name": "f"}})
    assert body["parallel_tool_calls"] is False
    asked, answered = body["messages"]
    assert asked["tool_calls"][0]["function"] == {"name": "f", "arguments": '{"a": "é"}'}
    assert answered == {"role": "tool", "content": "1", "tool_call_id": "c"}
    assert request(ChatPrompt(turns, (tool,), tool_choice=ToolChoice(required=True))).body["tool_choice"] == "required"


@pytest.mark.parametrize(
    ("prompt", "sampling", "param"),
    [
        (CHAT, {"echo": True}, "echo"),
        (ChatPrompt(messages=CHAT.messages, add_generation_prompt=False), {}, "add_generation_prompt"),
        (TEXT, {"constraint": Constraint("json_schema", "{}")}, "constraint"),
    ],
)
def test_what_the_protocol_cannot_say_is_refused_by_name(prompt: Prompt, sampling: dict[str, Any], param: str) -> None:
    with pytest.raises(UnsupportedParameter) as caught:
        request(prompt, **sampling)
    assert caught.value.param == param
