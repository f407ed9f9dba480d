"""The routes of hosting platforms: other routes' requests, told by their members."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from podium.config.server import Server
from podium.core.errors import EngineCrashed
from support.asgi import JSON_HEADERS, Answer, call
from support.http_doubles import WORDS, FakeClassifier, FakeDispatcher, FakeHealth, FakeObserver, fake_backend

TEXT = "".join(WORDS)
CHAT = {"messages": [{"role": "user", "content": "hi"}]}


def ask(
    path: str,
    body: Any,
    dispatcher: FakeDispatcher | None = None,
    *,
    task: str = "generate",
    server: Server | None = None,
) -> Answer:
    server = server or Server()
    dispatcher = dispatcher or FakeDispatcher()
    dispatcher.models.statuses[0].task = task
    backend = fake_backend(dispatcher=dispatcher, classifier=FakeClassifier(dispatcher.models), server=server)
    return call(create_app(backend), "POST", path, body)


@pytest.mark.parametrize("path", ["/invocations", "/score"])
def test_an_invocation_is_answered_as_the_route_would_whose_request_it_is(path: str) -> None:
    assert ask(path, CHAT).json["choices"][0]["message"]["content"] == TEXT
    assert ask(path, {"prompt": "hi"}).json["choices"][0]["text"] == TEXT
    assert ask(path, {"input": "hi"}, task="embed").json["data"][0]["object"] == "embedding"
    assert ask(path, {"input": "hi"}, task="classify").json["labels"] == ["few", "many"]
    assert len(ask(path, {"query": "a", "documents": ["b", "c"]}, task="rerank").json["results"]) == 2
    assert ask(path, {**CHAT, "stream": True}).data[-1] == "[DONE]"
    found = ask(path, {"input": "Anna sings"}, task="token_classification").json["data"][0]["entities"]
    assert found[0]["word"] == "Anna"
    assert "masks" in ask(path, {"input": "[MASK] sings"}, task="fill_mask").json["data"][0]
    labels = {"input": "a", "candidate_labels": ["x", "y"]}
    assert ask(path, labels, task="zero_shot").json["data"][0]["labels"] == ["x", "y"]
    question = {"question": "Who?", "context": "Anna sings"}
    assert ask(path, question, task="question_answering").json["answers"][0]["answer"] in question["context"]


def test_instances_are_predicted_together_in_their_order() -> None:
    body = {"instances": [{"prompt": "hi", "max_tokens": 1}, CHAT], "parameters": {"max_tokens": 2}}
    first, second = ask("/predict", body).json["predictions"]
    assert first["choices"][0]["text"] == WORDS[0]
    assert second["choices"][0]["message"]["content"] == "".join(WORDS[:2])


def test_each_instance_has_an_idempotency_key_of_its_own() -> None:
    dispatcher = FakeDispatcher()
    headers = [*JSON_HEADERS, ("idempotency-key", "k")]
    body = {"instances": [{"prompt": ["a", "b"]}, {"prompt": ["c", "d"]}]}
    app = create_app(fake_backend(dispatcher=dispatcher))
    assert call(app, "POST", "/predict", body, headers=headers).status == 200
    keys = [request.idempotency_key for request in dispatcher.requests]
    assert len(set(keys)) == 4
    assert "k" in keys


@pytest.mark.parametrize(
    ("task", "first", "second"), [("embed", {"input": "a b"}, {"input": "c"}), ("generate", {"prompt": "a b"}, CHAT)]
)
def test_the_tokens_of_all_instances_are_counted(task: str, first: dict[str, Any], second: dict[str, Any]) -> None:
    dispatcher, observer = FakeDispatcher(), FakeObserver()
    dispatcher.models.statuses[0].task = task
    app = create_app(fake_backend(dispatcher=dispatcher, observer=observer))
    assert call(app, "POST", "/predict", {"instances": [first, second]}).status == 200
    (record,) = observer.records
    assert (record.usage.prompt_tokens, record.computed.prompt_tokens) == (3, 3)


def test_a_platform_may_choose_the_paths() -> None:
    aliases = {"/v1/endpoints/1/deployedModels/2": "/ping", "/v1/endpoints/1/deployedModels/2:predict": "/predict"}
    server = Server(path_aliases=aliases)
    body = {"instances": [{"prompt": "hi", "max_tokens": 1}]}
    answer = ask("/v1/endpoints/1/deployedModels/2:predict", body, server=server)
    assert answer.json["predictions"][0]["choices"][0]["text"] == WORDS[0]
    wrong = ask("/v1/endpoints/1/deployedModels/2:predict", {"instances": []}, server=server)
    assert wrong.json["error"]["param"] == "instances"
    assert call(create_app(fake_backend(server=server)), "GET", "/v1/endpoints/1/deployedModels/2").status == 200


def test_kserve_s_first_protocol_predicts_for_the_model_in_the_path() -> None:
    dispatcher = FakeDispatcher()
    body = {"instances": [{"prompt": "hi", "max_tokens": 1, "model": "other/model"}]}
    assert ask("/v1/models/demo:predict", body, dispatcher).json["predictions"][0]["choices"][0]["text"] == WORDS[0]
    assert [request.model for request in dispatcher.requests] == ["demo@1"]
    unknown = ask("/v1/models/nope:predict", body)
    assert (unknown.status, "No model has that name" in unknown.json["error"]) == (404, True)


@pytest.mark.parametrize(
    ("path", "body", "param"),
    [
        ("/invocations", {"text": "hi"}, "messages"),
        ("/invocations", {"messages": []}, "messages"),
        ("/predict", {"instances": []}, "instances"),
        ("/predict", {"instances": [{"prompt": "a"}, {"prompt": ""}]}, "prompt"),
        ("/predict", {"instances": [{"prompt": "a", "stream": True}]}, "stream"),
    ],
)
def test_what_is_wrong_is_refused_by_name_in_openai_s_shape(path: str, body: Any, param: str) -> None:
    answer = ask(path, body)
    assert (answer.status, answer.json["error"]["param"]) == (400, param)


def test_one_instance_that_fails_fails_the_call() -> None:
    answer = ask("/predict", {"instances": [{"prompt": "a"}]}, FakeDispatcher(lambda _: EngineCrashed("Gone.")))
    assert (answer.status, answer.json["error"]["message"]) == (503, "Gone.")


def test_the_ping_tells_whether_requests_are_welcome() -> None:
    dispatcher = FakeDispatcher()
    app = create_app(fake_backend(dispatcher=dispatcher))
    assert call(app, "GET", "/ping").status == 200
    dispatcher.models.state = FakeHealth(ready=False)
    assert call(app, "GET", "/ping").status == 503
