"""What the README promises of the built-in model: text back from each client."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest

from podium.testing.server_process import ServerProcess, server_process


@pytest.fixture(scope="module")
def demo() -> Iterator[ServerProcess]:
    with server_process({"name": "demo", "source": "builtin:demo"}) as server:
        yield server


@pytest.fixture
def client(demo: ServerProcess) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{demo.traffic}/v1", api_key="none", max_retries=0) as client:
        yield client


def words(text: str | None) -> list[str]:
    return [word for word in (text or "").split() if word.isalpha()]


def test_the_openai_client_completes_a_sentence(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="demo", prompt="The configuration file", max_tokens=24, temperature=0)
    assert len(words(answer.choices[0].text)) >= 5
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 24


def test_the_same_greedy_request_has_the_same_answer_and_a_stream_spells_it_out(client: openai.OpenAI) -> None:
    request = {"model": "demo", "prompt": "A process is", "max_tokens": 20, "temperature": 0}
    whole = client.completions.create(**request).choices[0].text  # type: ignore[call-overload]
    pieces = [chunk.choices[0].text for chunk in client.completions.create(**request, stream=True)]  # type: ignore[call-overload]
    assert "".join(pieces) == whole
    assert len(pieces) > 10


def test_chat_answers_with_a_role_and_a_finish_reason(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo", messages=[{"role": "user", "content": "What is a file?"}], max_tokens=24, seed=1
    )
    assert answer.choices[0].message.role == "assistant"
    assert answer.choices[0].message.content
    assert answer.choices[0].finish_reason in {"stop", "length"}


def test_a_json_schema_is_kept(client: openai.OpenAI) -> None:
    # Inside objects the grammar allows any white space, of which a very small model makes a lot.
    schema = {"enum": ["yes", "no", "perhaps"]}
    form: Any = {"type": "json_schema", "json_schema": {"name": "state", "schema": schema, "strict": True}}
    answer = client.chat.completions.create(
        model="demo",
        messages=[{"role": "user", "content": "Is it ready?"}],
        max_tokens=40,
        temperature=0,
        response_format=form,
    )
    assert json.loads(answer.choices[0].message.content or "") in schema["enum"]


def test_batch_generate_answers_each_prompt_or_says_why_not(demo: ServerProcess) -> None:
    body = {"model": "demo", "prompts": ["The server", "", "A thread is"], "max_new_tokens": 8, "temperature": 0.5}
    answer = demo.post("/batch_generate", body).json()
    assert answer["batch_size"] == 3
    first, empty, last = answer["results"]
    assert first["generated_text"]
    assert last["output_length"] == 8
    assert empty["error"]["code"] == "invalid_request"


def test_the_process_that_answers_http_stays_under_200_mb(demo: ServerProcess) -> None:
    import psutil  # noqa: PLC0415 - this test only

    assert psutil.Process(demo.process.pid).memory_info().rss < 200e6
