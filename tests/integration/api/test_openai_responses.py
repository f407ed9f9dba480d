"""OpenAI's responses through its released client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from msgspec.structs import replace

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, Overloaded
from podium.core.generation import ChatPrompt, Chunk, GenerationRequest, Message, ToolCallDelta, ToolChoice
from podium.core.identity import LOCAL
from support.http_doubles import WORDS, FakeDispatcher, FakeGatekeeper, fake_backend, story
from support.http_server import RunningServer

TEXT = "".join(WORDS)
TOOLS: Any = [{"type": "function", "name": "clock", "parameters": {"type": "object"}, "strict": True}]


@pytest.fixture
def dispatcher() -> FakeDispatcher:
    return FakeDispatcher(telling)


def telling(request: GenerationRequest) -> list[Chunk]:
    """The whole story, which ends by itself unless it is cut."""
    chunks = story(request)
    return chunks if request.sampling.max_tokens == 2 else [*chunks[:-1], replace(chunks[-1], finish_reason="stop")]


@pytest.fixture
def client(dispatcher: FakeDispatcher) -> Iterator[openai.OpenAI]:
    backend = fake_backend(dispatcher=dispatcher, gatekeeper=FakeGatekeeper({"none": LOCAL}))
    with (
        RunningServer(create_app(backend)) as server,
        openai.OpenAI(base_url=f"{server.url}/v1", api_key="none", max_retries=0) as opened,
    ):
        yield opened


def test_a_response_is_read_whole(client: openai.OpenAI, dispatcher: FakeDispatcher) -> None:
    answer = client.responses.create(
        model="demo", input="hi", instructions="be brief", max_output_tokens=5, metadata={"a": "b"}
    )
    assert (answer.output_text, answer.status, answer.error) == (TEXT, "completed", None)
    assert answer.usage is not None
    assert (answer.usage.output_tokens, answer.metadata) == (len(WORDS), {"a": "b"})
    prompt = dispatcher.requests[0].prompt
    assert isinstance(prompt, ChatPrompt)
    assert prompt.messages == (Message("system", "be brief"), Message("user", "hi"))
    cut = client.responses.create(model="demo", input="hi", max_output_tokens=2)
    assert (cut.status, cut.incomplete_details and cut.incomplete_details.reason) == ("incomplete", "max_output_tokens")


def test_a_response_is_streamed_in_the_order_of_its_events(client: openai.OpenAI) -> None:
    with client.responses.stream(model="demo", input="hi") as stream:
        events = list(stream)
        final = stream.get_final_response()
    assert [event.type for event in events if not event.type.endswith("delta")] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    assert "".join(event.delta for event in events if event.type == "response.output_text.delta") == TEXT
    assert final.output_text == TEXT


def calling(_: GenerationRequest) -> list[Chunk]:
    return [
        Chunk(0, "So.", token_count=1, prompt_tokens=1),
        Chunk(0, token_count=1, tool_calls=(ToolCallDelta(0, "clock"), ToolCallDelta(0, None, '{"a":'))),
        Chunk(0, token_count=1, tool_calls=(ToolCallDelta(0, None, "1}"),), finish_reason="tool_calls"),
    ]


def test_calls_are_items_and_their_outputs_go_back(client: openai.OpenAI, dispatcher: FakeDispatcher) -> None:
    dispatcher.script = calling
    whole = client.responses.create(model="demo", input="hi", tools=TOOLS, tool_choice="required")
    with client.responses.stream(model="demo", input="hi", tools=TOOLS) as stream:
        pieces = [event.delta for event in stream if event.type == "response.function_call_arguments.delta"]
        streamed = stream.get_final_response()
    assert pieces == ['{"a":', "1}"]
    for answer in (whole, streamed):
        text, call = list(answer.output)
        assert (text.type, call.type) == ("message", "function_call")
        assert isinstance(call, openai.types.responses.ResponseFunctionToolCall)
        assert (call.name, json.loads(call.arguments)) == ("clock", {"a": 1})
    assert isinstance(dispatcher.requests[0].prompt, ChatPrompt)
    assert dispatcher.requests[0].prompt.tool_choice == ToolChoice(required=True)
    said: Any = whole.output
    again: Any = [
        {"role": "user", "content": [{"type": "input_text", "text": "hi"}]},
        *said,
        {"type": "function_call_output", "call_id": said[1].call_id, "output": "noon"},
    ]
    client.responses.create(model="demo", input=again, tools=TOOLS)
    prompt = dispatcher.requests[-1].prompt
    assert isinstance(prompt, ChatPrompt)
    assert [(turn.role, turn.content) for turn in prompt.messages] == [
        ("user", "hi"),
        ("assistant", "So."),
        ("assistant", None),
        ("tool", "noon"),
    ]
    assert prompt.messages[2].extra["tool_calls"][0]["function"] == {"name": "clock", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("members", "param"),
    [
        ({"previous_response_id": "resp_1"}, "previous_response_id"),
        ({"background": True}, "background"),
        ({"truncation": "auto"}, "truncation"),
        ({"reasoning": {"effort": "high"}}, "reasoning"),
        ({"tools": [{"type": "web_search"}]}, "tools.0.type"),
        ({"tool_choice": "required"}, "tool_choice"),
        ({"tools": TOOLS, "text": {"format": {"type": "json_object"}}}, "text.format"),
        ({"include": ["message.output_text.logprobs"]}, "include"),
        ({"input": [{"role": "user", "content": [{"type": "input_image", "image_url": "x"}]}]}, "input"),
    ],
)
def test_what_is_not_done_is_refused_by_name(client: openai.OpenAI, members: dict[str, Any], param: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.responses.create(**{"model": "demo", "input": "hi", **members})
    assert (caught.value.param or "").startswith(param)


def test_errors_are_the_client_s_own_also_within_a_stream(client: openai.OpenAI, dispatcher: FakeDispatcher) -> None:
    dispatcher.script = lambda _: Overloaded("Full.", retry_after_seconds=1.0)
    with pytest.raises(openai.InternalServerError, match="Full"):
        client.responses.create(model="demo", input="hi")
    dispatcher.script = lambda request: [*story(request)[:2], EngineCrashed("Gone.")]
    with pytest.raises(openai.APIError, match="Gone"):
        list(client.responses.create(model="demo", input="hi", stream=True))
