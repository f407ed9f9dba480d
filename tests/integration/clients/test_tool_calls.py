"""Tools through released clients, from the model's text to the client's own types.

The echo engine answers with the rendered prompt, and these templates render the last turn only: so each test says
itself what its model writes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anthropic
import jsonschema
import ollama
import openai
import pytest

from podium.testing.server_process import ServerProcess, server_process

LAST_TURN = "{{ messages[-1].content }}"
TEMPLATES = {
    "hermes": "{% if tools %}{# <tool_call> #}{% endif %}" + LAST_TURN,
    "llama3": '{% if tools %}{# <|start_header_id|> "parameters" #}{% endif %}' + LAST_TURN,
    "mistral": "{% if tools %}{# [TOOL_CALLS] #}{% endif %}" + LAST_TURN,
    "toolless": LAST_TURN,
}
PARAMETERS = {
    "type": "object",
    "properties": {"unit": {"enum": ["celsius", "kelvin"]}},
    "required": ["unit"],
    "additionalProperties": False,
}
TOOLS: Any = [
    {"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": PARAMETERS}},
    {"type": "function", "function": {"name": "clock"}},
]
CLAUDE_TOOLS: Any = [
    {"name": "weather", "input_schema": PARAMETERS},
    {"name": "clock", "input_schema": {"type": "object"}},
]
WRITTEN = {
    "hermes": 'Well.\n<tool_call>\n{"name": "weather", "arguments": {"unit": "celsius"}}\n</tool_call>'
    '\n<tool_call>\n{"name": "clock", "arguments": {}}\n</tool_call>',
    "llama3": '{"name": "weather", "parameters": {"unit": "celsius"}}; {"name": "clock", "parameters": {}}',
    "mistral": '[TOOL_CALLS][{"name": "weather", "arguments": {"unit": "celsius"}}, '
    '{"name": "clock", "arguments": {}}]',
}
CALLS = [("weather", {"unit": "celsius"}), ("clock", {})]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    folder: Path = tmp_path_factory.mktemp("templates")
    models: list[dict[str, Any]] = []
    for name, template in TEMPLATES.items():
        (folder / name).write_text(template, "utf-8")
        models.append({"name": name, "source": "none", "engine": "echo", "chat_template_file": str(folder / name)})
    demo = {"name": "demo", "source": "builtin:demo", "chat_template_file": str(folder / "hermes")}
    with server_process(*models, demo) as running:
        yield running


@pytest.fixture(scope="module")
def remote(server: ServerProcess) -> Iterator[ServerProcess]:
    engine = {"kind": "remote", "base_url": f"{server.traffic}/v1", "model": "hermes"}
    with server_process({"name": "hermes", "source": "none", "engine": engine}) as running:
        yield running


@pytest.fixture
def client(server: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{server.traffic}/v1", api_key="none", max_retries=0) as opened:
        yield opened


@pytest.fixture
def claude(server: ServerProcess) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=server.traffic, api_key="none", max_retries=0) as opened:
        yield opened


def calls_of(choice: Any) -> list[tuple[str, Any]]:
    calls = choice.message.tool_calls or ()
    return [(call.function.name, json.loads(call.function.arguments)) for call in calls]


def says(text: str) -> Any:
    return [{"role": "user", "content": text}]


@pytest.mark.parametrize("model", sorted(WRITTEN))
def test_calls_are_the_openai_client_s_own_whole_and_streamed(client: openai.OpenAI, model: str) -> None:
    choice = client.chat.completions.create(model=model, messages=says(WRITTEN[model]), tools=TOOLS).choices[0]
    assert (choice.finish_reason, calls_of(choice)) == ("tool_calls", CALLS)
    assert choice.message.content == ("Well." if model == "hermes" else None)
    pieces = 0
    with client.chat.completions.stream(model=model, messages=says(WRITTEN[model]), tools=TOOLS) as stream:
        for event in stream:
            pieces += event.type == "tool_calls.function.arguments.delta"
        streamed = stream.get_final_completion().choices[0]
    assert (streamed.finish_reason, streamed.message.content or None, calls_of(streamed)) == (
        choice.finish_reason,
        choice.message.content,
        CALLS,
    )
    assert pieces > 5, "arguments come as they are written"


def test_a_quota_of_tokens_changes_nothing_about_calls(tmp_path: Path) -> None:
    template = tmp_path / "hermes"
    template.write_text(TEMPLATES["hermes"], "utf-8")
    model = {"name": "hermes", "source": "none", "engine": "echo", "chat_template_file": str(template)}
    with (
        server_process(model, access={"key_quotas": {"tokens_per_minute": 1_000_000}}) as counted,
        openai.OpenAI(base_url=f"{counted.traffic}/v1", api_key="none", max_retries=0) as client,
    ):
        answer = client.chat.completions.create(model="hermes", messages=says(WRITTEN["hermes"]), tools=TOOLS)
    assert (answer.choices[0].finish_reason, calls_of(answer.choices[0])) == ("tool_calls", CALLS)


def test_calls_of_a_remote_server_are_handed_on(remote: ServerProcess) -> None:
    with openai.OpenAI(base_url=f"{remote.traffic}/v1", api_key="none", max_retries=0) as client:
        choice = client.chat.completions.create(model="hermes", messages=says(WRITTEN["hermes"]), tools=TOOLS).choices[
            0
        ]
        assert (choice.finish_reason, choice.message.content, calls_of(choice)) == ("tool_calls", "Well.", CALLS)
        turns: Any = [*says("?"), choice.message, {"role": "tool", "tool_call_id": "x", "content": "warm"}]
        answer = client.chat.completions.create(model="hermes", messages=turns, tools=TOOLS)
        assert answer.choices[0].message.content == "warm"


def test_the_answer_to_a_call_goes_back_to_the_model(client: openai.OpenAI) -> None:
    first = client.chat.completions.create(model="mistral", messages=says(WRITTEN["mistral"]), tools=TOOLS)
    message = first.choices[0].message
    assert message.tool_calls
    turns: Any = [*says("?"), message, {"role": "tool", "tool_call_id": message.tool_calls[0].id, "content": "warm"}]
    assert (
        client.chat.completions.create(model="mistral", messages=turns, tools=TOOLS).choices[0].message.content
        == "warm"
    )


def test_without_parallel_calls_the_answer_ends_with_the_first(client: openai.OpenAI) -> None:
    choice = client.chat.completions.create(
        model="hermes", messages=says(WRITTEN["hermes"]), tools=TOOLS, parallel_tool_calls=False
    ).choices[0]
    assert calls_of(choice) == CALLS[:1]
    assert choice.finish_reason == "tool_calls"


def test_without_tools_nothing_is_a_call(client: openai.OpenAI) -> None:
    absent: dict[str, Any] = {}
    for members in (absent, {"tools": TOOLS, "tool_choice": "none"}):
        choice = client.chat.completions.create(model="hermes", messages=says(WRITTEN["hermes"]), **members).choices[0]
        assert (choice.message.content, choice.message.tool_calls) == (WRITTEN["hermes"], None)


@pytest.mark.parametrize("choice", ["required", {"type": "function", "function": {"name": "weather"}}])
def test_a_forced_call_has_arguments_that_its_schema_allows(client: openai.OpenAI, choice: Any) -> None:
    tools = TOOLS[:1]
    answer = client.chat.completions.create(
        model="demo", messages=says("The weather?"), tools=tools, tool_choice=choice, max_tokens=200, seed=1
    ).choices[0]
    assert answer.finish_reason in {"tool_calls", "length"}
    calls: list[Any] = list(answer.message.tool_calls or ())
    assert {call.function.name for call in calls} == {"weather"}
    if answer.finish_reason == "tool_calls":
        jsonschema.validate(json.loads(calls[0].function.arguments), PARAMETERS)
    assert choice == "required" or len(calls) == 1


def test_what_a_template_or_an_engine_cannot_do_is_refused_with_the_reason(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="chat template") as caught:
        client.chat.completions.create(model="toolless", messages=says("hi"), tools=TOOLS)
    assert caught.value.param == "tools"
    with pytest.raises(openai.BadRequestError, match="openvino") as caught:
        client.chat.completions.create(model="hermes", messages=says("hi"), tools=TOOLS, tool_choice="required")
    assert caught.value.param == "tool_choice"


def test_calls_are_blocks_of_anthropic_s_client_whole_and_streamed(claude: anthropic.Anthropic) -> None:
    asked: Any = {"model": "hermes", "max_tokens": 400, "messages": says(WRITTEN["hermes"]), "tools": CLAUDE_TOOLS}
    whole = claude.messages.create(**asked)
    with claude.messages.stream(**asked) as stream:
        streamed = stream.get_final_message()
    calls: list[Any] = []
    for answer in (whole, streamed):
        content: list[Any] = list(answer.content)
        text, *calls = content
        assert (text.type, text.text, answer.stop_reason) == ("text", "Well.", "tool_use")
        assert [(call.name, call.input) for call in calls] == CALLS
    turns = [
        *says("?"),
        {"role": "assistant", "content": whole.content},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": calls[0].id, "content": "cold", "is_error": True}],
        },
    ]
    block: Any = claude.messages.create(**{**asked, "messages": turns}).content[0]
    assert block.text == "Error: cold"


def test_calls_are_messages_of_ollama_s_client_whole_and_streamed(server: ServerProcess) -> None:
    with ollama.Client(host=server.traffic) as client:
        check_ollama(client)


def check_ollama(client: ollama.Client) -> None:
    asked: Any = {"model": "hermes", "messages": says(WRITTEN["hermes"]), "tools": TOOLS}
    pieces = list(client.chat(**asked, stream=True))
    for messages in ([client.chat(**asked).message], [piece.message for piece in pieces]):
        calls = [call.function for message in messages for call in message.tool_calls or ()]
        assert [(call.name, dict(call.arguments)) for call in calls] == CALLS
        assert "".join(message.content or "" for message in messages) == "Well."
    assert pieces[-1].done_reason == "stop"
    turns: Any = [
        *says("?"),
        *(piece.message for piece in pieces if piece.message.tool_calls),
        {"role": "tool", "content": "warm"},
    ]
    assert client.chat(**{**asked, "messages": turns}).message.content == "warm"
    with pytest.raises(ollama.ResponseError, match="chat template"):
        client.chat(model="toolless", messages=says("hi"), tools=TOOLS)
