"""An encoder-decoder from its folder: recognised, served token for token as transformers has it, and abandoned."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from podium.testing.server_process import ServerProcess, server_process
from support.deadline import until
from support.require import require
from support.text2text_subjects import Text2TextReference

pytestmark = pytest.mark.hf
TEXTS = ("the server sends the tokens", "a canary takes five percent of the traffic", "judgement", "the model answers")
MANY = 24
ENDLESS = 100_000  # tokens, which nobody waits for


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("torch")
    import models_factory  # noqa: PLC0415

    return models_factory.make_text2text(tmp_path_factory.mktemp("text2text") / "my-t5", "t5")


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[ServerProcess]:
    models: list[dict[str, Any]] = [
        {"name": "t5", "source": str(folder), "max_model_len": ENDLESS},
        {"name": "summary", "source": str(folder), "text2text": {"preset": "summarization"}, "load": "demand"},
    ]
    with server_process(*models) as running:
        until("the model is ready", lambda: running.probe("readyz").status_code == 200, seconds=120.0)
        yield running


def test_a_folder_is_recognised_and_the_log_says_which_engine_runs_it_and_why(server: ServerProcess) -> None:
    entry = server.get("/models").json()["models"]["t5"]
    assert (entry["task"], entry["engine"]) == ("text2text_generation", "transformers")
    assert entry["max_model_len"] == ENDLESS


def test_answers_to_texts_sent_together_are_those_of_generate(server: ServerProcess, folder: Path) -> None:
    import transformers  # noqa: PLC0415

    reference = Text2TextReference(folder)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    prompts = [tuple(tokenizer(text).input_ids) for text in TEXTS]
    written = [reference.greedy(prompt, MANY) for prompt in prompts]

    def ask(text: str) -> dict[str, Any]:
        body = {"model": "t5", "prompt": text, "temperature": 0, "max_tokens": MANY}
        answer: dict[str, Any] = server.post("/v1/completions", body).json()
        return answer

    with ThreadPoolExecutor(len(TEXTS)) as pool:
        answers = list(pool.map(ask, TEXTS))
    texts = [answer["choices"][0]["text"] for answer in answers]
    assert any(texts)
    assert texts == [tokenizer.decode(one, skip_special_tokens=True) for one in written]
    usages = [(answer["usage"]["prompt_tokens"], answer["usage"]["completion_tokens"]) for answer in answers]
    assert usages == [(len(prompt), len(one)) for prompt, one in zip(prompts, written, strict=True)]


def test_a_preset_puts_its_prefix_before_texts_and_bounds_answers(server: ServerProcess) -> None:
    body = {"prompt": TEXTS[0], "temperature": 0}
    summary = server.post("/v1/completions", {"model": "summary", **body}).json()
    by_hand = {"model": "t5", **body, "prompt": f"summarize: {TEXTS[0]}", "max_tokens": 8}
    assert summary["choices"][0]["text"] == server.post("/v1/completions", by_hand).json()["choices"][0]["text"]
    assert summary["usage"]["completion_tokens"] <= 8
    warned = [record for record in server.log if "ask for what is not done here" in str(record.get("event"))]
    assert [record["ignored"] for record in warned] == [["num_beams"]]


def test_a_stream_that_its_reader_leaves_leaves_the_batch(server: ServerProcess) -> None:
    body = {
        "model": "t5", "prompt": TEXTS[0], "temperature": 1, "max_tokens": ENDLESS, "ignore_eos": True, "stream": True,
    }  # fmt: skip
    others: list[int] = []
    with httpx.stream("POST", f"{server.traffic}/v1/completions", json=body, timeout=60.0, trust_env=False) as stream:
        next(stream.iter_lines())
        other = threading.Thread(
            target=lambda: others.append(
                server.post("/v1/completions", {"model": "t5", "prompt": "x", "max_tokens": 3}).status_code
            )
        )
        other.start()
        other.join()
    assert others == [200]
    gauge = 'podium_model_running_sequences{model="t5",version="1"} 0.0'
    until("the batch is empty", lambda: gauge in server.get("/metrics").text)
