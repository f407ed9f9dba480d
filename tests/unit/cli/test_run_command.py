from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from support.command import Command
from support.fake_server import Canned, fake_server
from support.ports import free_port

MODELS = Canned({"object": "list", "data": [{"id": "demo", "created": 1, "root": "demo", "max_model_len": 512}]})
USAGE = {"prompt_tokens": 2, "completion_tokens": 2, "total_tokens": 4}


def _piece(text: str, finish_reason: str | None = None) -> dict[str, object]:
    return {"model": "demo", "choices": [{"index": 0, "text": text, "finish_reason": finish_reason}]}


ANSWER = Canned(events=[_piece(" hello"), _piece(" world", "stop"), {"model": "demo", "choices": [], "usage": USAGE}])
ROUTES = {"GET /v1/models": MODELS, "POST /v1/completions": ANSWER}


def test_the_answer_goes_to_standard_output_and_nothing_else(command: Command) -> None:
    with fake_server(ROUTES) as server:
        ended = command("run", "Say", "--url", server.url)
    assert (ended.status, ended.out, ended.err) == (0, " hello world\n", "")


def test_what_is_asked_for_is_sent_and_what_is_not_is_left_to_the_server(command: Command) -> None:
    with fake_server(ROUTES) as server:
        command("run", "Say", "--url", server.url, "--max-tokens", "5", "--temperature", "0", "--stop", ".")
        _, body = server.requests[-1]
    assert body == {
        "model": "demo",
        "prompt": "Say",
        "max_tokens": 5,
        "temperature": 0.0,
        "stop": ["."],
        "stream": True,
        "stream_options": {"include_usage": True},
    }


def test_a_server_on_the_configured_port_is_asked(command: Command) -> None:
    with fake_server(ROUTES) as server:
        ended = command("run", "Say", "--set", f"server.port={server.port}")
    assert ended.out == " hello world\n"


def test_the_result_as_json_has_usage_and_finish_reason(command: Command) -> None:
    with fake_server(ROUTES) as server:
        shown = json.loads(command("run", "Say", "--url", server.url, "--json").out)
    assert shown == {"model": "demo", "text": " hello world", "finish_reason": "stop", "usage": USAGE}


def test_without_streaming_the_text_comes_at_the_end(command: Command) -> None:
    with fake_server(ROUTES) as server:
        assert command("run", "Say", "--url", server.url, "--no-stream").out == " hello world\n"


def test_a_chat_message_goes_to_the_chat_route(command: Command) -> None:
    events = [
        {"model": "demo", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hi"}}]},
        {"model": "demo", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
    ]
    with fake_server({"GET /v1/models": MODELS, "POST /v1/chat/completions": Canned(events=events)}) as server:
        ended = command("run", "Hello", "--chat", "--url", server.url)
        _, body = server.requests[-1]
    assert ended.out == "Hi\n"
    assert body["messages"] == [{"role": "user", "content": "Hello"}]


def test_a_prompt_can_come_from_standard_input(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("from a pipe"))
    with fake_server(ROUTES) as server:
        command("run", "-", "--url", server.url)
        assert server.requests[-1][1]["prompt"] == "from a pipe"


def test_a_refusal_is_shown_with_its_code(command: Command) -> None:
    refused = Canned({"error": {"code": "model_not_found", "message": "No such model."}}, 404, {"x-request-id": "r1"})
    with fake_server({"POST /v1/completions": refused}) as server:
        ended = command("run", "Say", "--url", server.url, "--model", "x")
    assert (ended.status, ended.out) == (4, "")
    assert ended.err == "error: No such model. [model_not_found, r1]\n"


def test_an_answer_without_a_finish_reason_is_a_failure(command: Command) -> None:
    with fake_server({"GET /v1/models": MODELS, "POST /v1/completions": Canned(events=[_piece("half")])}) as server:
        ended = command("run", "Say", "--url", server.url)
    assert ended.status == 1
    assert "without a finish reason" in ended.err


def test_a_server_that_cannot_be_reached_ends_with_3(command: Command) -> None:
    ended = command("run", "Say", "--url", f"http://127.0.0.1:{free_port()}")
    assert ended.status == 3
    assert "cannot be reached" in ended.err


def test_a_model_that_is_nothing_names_the_nearest_configured_one(command: Command) -> None:
    Path("podium.yaml").write_text("models: [{name: gpt2, source: ./gpt2}]\n")
    ended = command("run", "Say", "--model", "gtp2", "--set", f"server.port={free_port()}")
    assert ended.status == 2
    assert "did you mean gpt2?" in ended.err
