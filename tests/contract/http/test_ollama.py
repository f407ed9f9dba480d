"""``/api/*``: Ollama's contract, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from podium.api.app import create_app
from podium.core.errors import EngineCrashed, Overloaded, PodiumError
from podium.core.generation import ChatPrompt, Chunk, Message, TextPrompt
from support.asgi import Answer, call
from support.http_doubles import WORDS, FakeDispatcher, FakeEmbedder, FakeFacts, fake_backend, story

TEXT = "The sea was calm."
TURNS = [{"role": "user", "content": "hi"}]
LIMIT = {"num_predict": len(WORDS)}


def ask(path: str, dispatcher: FakeDispatcher | None = None, **body: Any) -> Answer:
    given = {"model": "demo", **body}
    return call(create_app(fake_backend(dispatcher=dispatcher or FakeDispatcher())), "POST", path, given)


def chat(dispatcher: FakeDispatcher | None = None, **body: Any) -> Answer:
    return ask("/api/chat", dispatcher, **{"messages": TURNS, "options": LIMIT, **body})


def generate(dispatcher: FakeDispatcher | None = None, **body: Any) -> Answer:
    return ask("/api/generate", dispatcher, **{"prompt": "hi", "options": LIMIT, **body})


def lines(answer: Answer) -> list[dict[str, Any]]:
    return [json.loads(line) for line in answer.body.splitlines()]


class Templated(FakeDispatcher):
    """Its model has a chat template."""

    def tokenizer_facts(self, caller: Any, model: str) -> FakeFacts:
        super().tokenizer_facts(caller, model)
        return FakeFacts(chat_template="{{ messages }}")


def test_it_streams_lines_unless_it_is_told_not_to() -> None:
    answer = chat()
    assert answer.headers["content-type"] == "application/x-ndjson"
    found = lines(answer)
    assert all((line["model"], line["done"]) == ("demo", False) for line in found[:-1])
    assert all(line["message"]["role"] == "assistant" for line in found)
    assert "".join(line["message"]["content"] for line in found) == TEXT
    last = found[-1]
    assert (last["done"], last["done_reason"], last["prompt_eval_count"], last["eval_count"]) == (
        *(True, "length", 1),
        len(WORDS),
    )
    assert last["total_duration"] >= last["prompt_eval_duration"] + last["eval_duration"] - 1 >= 0
    assert last["created_at"].endswith("Z")


def test_a_whole_answer_is_one_line_with_everything() -> None:
    (line,) = lines(generate(stream=False))
    assert (line["response"], line["done"], line["done_reason"]) == (TEXT, True, "length")
    assert "message" not in line


@pytest.mark.parametrize("path", ["/api/chat", "/api/generate"])
def test_nothing_to_answer_asks_whether_the_model_is_loaded(path: str) -> None:
    dispatcher = FakeDispatcher()
    (line,) = lines(ask(path, dispatcher))
    assert (line["done"], line["done_reason"]) == (True, "load")
    assert ask(path, model="nope").status == 404
    assert not dispatcher.requests


def test_a_prompt_is_a_turn_where_the_model_has_a_template_and_plain_where_it_is_raw_or_has_none() -> None:
    templated, plain = Templated(), FakeDispatcher()
    generate(templated, system="be brief")
    generate(templated, raw=True)
    generate(plain)
    turns = (Message(role="system", content="be brief"), Message(role="user", content="hi"))
    assert [one.prompt for one in templated.requests] == [ChatPrompt(turns), TextPrompt("hi")]
    assert plain.requests[0].prompt == TextPrompt("hi")
    refused = generate(plain, system="be brief")
    assert (refused.status, "system" in refused.json["error"]) == (400, True)


def test_options_reach_the_model_and_those_that_change_nothing_are_let_be() -> None:
    dispatcher = FakeDispatcher()
    options = {
        "num_predict": 9,
        "temperature": 0,
        "top_k": 3,
        "top_p": 0.5,
        "min_p": 0.1,
        "seed": 7,
        "stop": ["x"],
        "repeat_penalty": 1.1,
        "presence_penalty": 0.5,
        "frequency_penalty": 0.25,
        "num_ctx": 4096,
        "mirostat": 0,
    }
    assert chat(dispatcher, options=options, keep_alive="5m", format="json").status == 200
    (request,) = dispatcher.requests
    found = request.sampling
    assert (found.max_tokens, found.temperature, found.top_k, found.top_p, found.min_p, found.seed, found.stop) == (
        *(9, 0.0, 3, 0.5, 0.1, 7),
        ("x",),
    )
    assert (found.repetition_penalty, found.presence_penalty, found.frequency_penalty) == (1.1, 0.5, 0.25)
    assert found.constraint is not None
    assert json.loads(found.constraint.source) == {"type": "object"}
    schema = {"type": "object", "properties": {"a": {"type": "integer"}}}
    chat(dispatcher, format=schema, options={"num_predict": -1})
    later = dispatcher.requests[-1].sampling
    assert later.constraint is not None
    assert (json.loads(later.constraint.source), later.max_tokens) == (schema, None)


def test_a_tag_that_clients_add_is_taken_off() -> None:
    dispatcher = FakeDispatcher()
    answer = chat(dispatcher, model="demo:latest")
    assert dispatcher.requests[0].model == "demo"
    assert lines(answer)[0]["model"] == "demo:latest"


@pytest.mark.parametrize(
    ("path", "body", "word"),
    [
        ("/api/chat", {"model": None}, "model"),
        ("/api/chat", {"messages": "hi"}, "messages"),
        ("/api/chat", {"messages": [{"role": "critic", "content": "x"}]}, "role"),
        ("/api/chat", {"messages": [{"role": "user", "content": "x", "images": ["aGk="]}]}, "images"),
        ("/api/chat", {"messages": [*TURNS, {"role": "assistant", "content": "Sure"}]}, "last message"),
        ("/api/chat", {"messages": TURNS, "tools": [{"type": "function"}]}, "tools"),
        (
            "/api/chat",
            {"messages": TURNS, "tools": [{"type": "function", "function": {"name": "f"}}], "format": "json"},
            "format",
        ),
        ("/api/chat", {"messages": TURNS, "think": True}, "think"),
        ("/api/chat", {"messages": TURNS, "options": {"mirostat": 2}}, "mirostat"),
        ("/api/chat", {"messages": TURNS, "options": {"num_predict": 0}}, "num_predict"),
        ("/api/chat", {"messages": TURNS, "options": {"temperature": "hot"}}, "temperature"),
        ("/api/chat", {"messages": TURNS, "format": "xml"}, "format"),
        ("/api/generate", {"prompt": "a", "suffix": "b"}, "suffix"),
        ("/api/generate", {"prompt": "a", "images": ["aGk="]}, "images"),
        ("/api/generate", {"prompt": "a", "context": [1]}, "context"),
        ("/api/generate", {"prompt": "a", "template": "x"}, "template"),
    ],
)
def test_what_is_wrong_or_would_change_the_answer_unseen_is_refused_by_name(
    path: str, body: dict[str, Any], word: str
) -> None:
    dispatcher = FakeDispatcher()
    answer = ask(path, dispatcher, **body)
    assert answer.status == 400
    assert answer.json.keys() == {"error"}
    assert word in answer.json["error"]
    assert not dispatcher.requests


@pytest.mark.parametrize("failure", [Overloaded("Full.", retry_after_seconds=2.0), EngineCrashed("Gone.")])
def test_errors_before_the_first_byte_are_one_string(failure: PodiumError) -> None:
    answer = chat(FakeDispatcher(lambda _: failure))
    assert (answer.status, answer.json) == (503, {"error": failure.message})


def test_a_failure_in_a_stream_is_a_line_with_the_error_and_nothing_is_done() -> None:
    found = lines(chat(FakeDispatcher(lambda request: [*story(request)[:2], EngineCrashed("Gone.")])))
    assert found[-1] == {"error": "Gone."}
    assert not any(line.get("done") for line in found)


def test_a_stop_is_told_as_such() -> None:
    chunk = Chunk(0, "a", token_count=1, finish_reason="stop", prompt_tokens=1)
    assert lines(chat(FakeDispatcher(lambda _: [chunk])))[-1]["done_reason"] == "stop"


def test_models_are_listed_and_described() -> None:
    app = create_app(fake_backend())
    listed = call(app, "GET", "/api/tags").json["models"]
    assert [one["name"] for one in listed] == [one["model"] for one in listed]
    assert "demo" in {one["name"] for one in listed}
    assert call(app, "GET", "/api/ps").json["models"][0]["size"] == 4096
    assert call(app, "GET", "/api/version").json == {"version": "9.9"}
    shown = call(app, "POST", "/api/show", {"model": "demo:latest"}).json
    assert (shown["capabilities"], shown["model_info"]["podium.context_length"]) == (["completion"], 128)


def test_texts_are_embedded() -> None:
    embedder = FakeEmbedder()
    app = create_app(fake_backend(embedder=embedder))
    answer = call(app, "POST", "/api/embed", {"model": "demo", "input": ["a b", "c"], "dimensions": 2})
    assert answer.json["embeddings"] == [pytest.approx([0.0, 0.25, -1 / 3]), pytest.approx([1.0, 1.25, -1 / 3])]
    assert (answer.json["model"], answer.json["prompt_eval_count"], embedder.dimensions) == ("demo", 3, [2])
    for wrong in ([], [""], "", 1):
        assert call(app, "POST", "/api/embed", {"model": "demo", "input": wrong}).status == 400
