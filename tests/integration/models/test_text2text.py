"""Encoder-decoders through every route that generates; chats are refused, each dialect in its own words.

One server of echo engines: such a model writes what it reads, behind its prefix.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until

READ = 64
TEXT = "The sea was calm."
WRITTEN = f"say: {TEXT}"
PLAIN = {"temperature": 0}


@pytest.fixture(scope="module")
def server() -> Iterator[ServerProcess]:
    models: list[dict[str, Any]] = [
        {
            "name": "summary", "source": "none", "task": "text2text_generation", "text2text": {"prefix": "say: "},
            "engine": {"kind": "echo", "max_model_len": READ},
        },
        {"name": "talker", "source": "none", "engine": {"kind": "echo"}},
        {"name": "vectors", "source": "none", "task": "embed", "engine": {"kind": "echo"}},
    ]  # fmt: skip
    with server_process(*models) as running:
        until("all models are ready", lambda: running.probe("readyz").status_code == 200, seconds=60.0)
        yield running


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


def test_the_task_is_told_and_may_be_set(server: ServerProcess) -> None:
    assert server.get("/models").json()["models"]["summary"]["task"] == "text2text_generation"
    assert "completion" in server.post("/api/show", {"model": "summary"}).json()["capabilities"]


def test_completions_count_what_is_read_and_what_is_written(server: ServerProcess) -> None:
    answer = server.post("/v1/completions", {"model": "summary", "prompt": TEXT, **PLAIN}).json()
    assert (answer["choices"][0]["text"], answer["choices"][0]["finish_reason"]) == (WRITTEN, "stop")
    end = 1
    assert answer["usage"]["prompt_tokens"] == len(WRITTEN)
    assert answer["usage"]["completion_tokens"] == len(WRITTEN) + end


def test_completions_stream(server: ServerProcess) -> None:
    body = {"model": "summary", "prompt": TEXT, "stream": True, **PLAIN}
    pieces = [event["choices"][0]["text"] for event in events(server.post("/v1/completions", body)) if event["choices"]]
    assert len(pieces) > 1
    assert "".join(pieces) == WRITTEN


@pytest.mark.parametrize(
    ("path", "body", "where"),
    [
        ("/generate", {"model": "summary", "prompt": TEXT, **PLAIN}, "generated_text"),
        ("/batch_generate", {"model": "summary", "prompts": [TEXT, "x"], **PLAIN}, "results"),
        ("/api/generate", {"model": "summary", "prompt": TEXT, "stream": False}, "response"),
        ("/v2/models/summary/generate", {"text_input": TEXT, "parameters": PLAIN}, "text_output"),
        (
            "/v2/models/summary/infer",
            {"inputs": [{"name": "text_input", "shape": [1], "datatype": "BYTES", "data": [TEXT]}]},
            "outputs",
        ),
        ("/invocations", {"model": "summary", "prompt": TEXT, **PLAIN}, "choices"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("/") else "",
)
def test_every_other_route_that_generates_serves_it(
    server: ServerProcess, path: str, body: dict[str, Any], where: str
) -> None:
    answer = server.post(path, body)
    assert answer.status_code == 200, answer.text
    assert WRITTEN in json.dumps(answer.json()[where])


def test_an_answer_is_kept_like_any_other(server: ServerProcess) -> None:
    body = {"model": "summary", "prompt": "keep this", **PLAIN}
    first, second = (server.post("/v1/completions", body) for _ in range(2))
    assert (first.headers["x-podium-cache"], second.headers["x-podium-cache"]) == ("miss", "hit")
    assert first.json()["choices"] == second.json()["choices"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", {}),
        ("/v1/messages", {"max_tokens": 5}),
        ("/api/chat", {}),
        ("/v1/responses", {"input": TEXT}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_chat_is_refused_with_the_models_that_can(server: ServerProcess, path: str, body: dict[str, Any]) -> None:
    messages = {} if "input" in body else {"messages": [{"role": "user", "content": TEXT}]}
    answer = server.post(path, {"model": "summary", **messages, **body})
    assert answer.status_code == 400
    told = json.dumps(answer.json(), ensure_ascii=False)
    assert "This model's task is text2text_generation, not generate." in told
    assert "Models here that do: talker." in told


def test_a_model_that_computes_vectors_names_both_kinds_that_write(server: ServerProcess) -> None:
    told = server.post("/v1/completions", {"model": "vectors", "prompt": TEXT}).json()["error"]["message"]
    assert "not generate or text2text_generation" in told
    assert "summary, talker" in told


@pytest.mark.parametrize(("name", "value"), [("echo", True), ("structured_outputs", {"regex": "a+"})])
def test_what_the_shape_cannot_do_is_refused_by_name(server: ServerProcess, name: str, value: object) -> None:
    answer = server.post("/v1/completions", {"model": "summary", "prompt": TEXT, name: value})
    assert answer.status_code == 400
    assert "no engine can for a model of its task" in answer.json()["error"]["message"]


def test_the_prompt_takes_nothing_from_the_answer_s_room(server: ServerProcess) -> None:
    full = "a" * (READ - len("say: "))
    body = {"model": "summary", "prompt": full, "max_tokens": READ, **PLAIN}
    assert server.post("/v1/completions", body).json()["usage"]["completion_tokens"] == READ
    longer = server.post("/v1/completions", {**body, "prompt": full + "a"})
    assert longer.status_code == 400
    assert f"The prompt has {READ + 1} tokens; this model reads at most {READ}." in longer.json()["error"]["message"]
    more = server.post("/v1/completions", {**body, "max_tokens": READ + 1})
    assert more.status_code == 400
    assert f"writes at most {READ}" in more.json()["error"]["message"]


def test_stop_texts_end_the_answer(server: ServerProcess) -> None:
    body = {"model": "summary", "prompt": TEXT, "stop": [" was"], **PLAIN}
    choice = server.post("/v1/completions", body).json()["choices"][0]
    assert (choice["text"], choice["finish_reason"]) == ("say: The sea", "stop")
