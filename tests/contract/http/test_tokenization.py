"""Tokenization routes and the model list, as evaluation harnesses and load tools read them."""

from __future__ import annotations

from typing import Any

import pytest

from podium.api.app import create_app
from support.asgi import Answer, call
from support.http_doubles import fake_backend

BASES = ["", "/v1"]


def ask(method: str, path: str, body: Any = None, **options: Any) -> Answer:
    return call(create_app(fake_backend()), method, path, body, **options)


@pytest.mark.parametrize("base", BASES)
def test_tokenize_counts_and_names_the_context(base: str) -> None:
    assert ask("POST", f"{base}/tokenize", {"prompt": "x"}).json == {
        "count": 3,
        "max_model_len": 128,
        "tokens": [1, 2, 3],
    }
    body = {"messages": [{"role": "user", "content": "x"}], "return_token_strs": True}
    assert ask("POST", f"{base}/tokenize", body).json["token_strs"] == ["a", "b", "c"]


@pytest.mark.parametrize("body", [{}, {"prompt": "x", "messages": [{"role": "user", "content": "x"}]}])
def test_tokenize_wants_a_prompt_or_messages(body: dict[str, Any]) -> None:
    assert ask("POST", "/tokenize", body).status == 400


@pytest.mark.parametrize("base", BASES)
def test_detokenize_gives_text(base: str) -> None:
    assert ask("POST", f"{base}/detokenize", {"tokens": [7, 8]}).json == {"prompt": "7 8"}
    assert ask("POST", f"{base}/detokenize", {"tokens": [7, True]}).status == 400


@pytest.mark.parametrize("base", BASES)
def test_tokenizer_info_has_the_end_token(base: str) -> None:
    info = ask("GET", f"{base}/tokenizer_info").json
    assert info["eos_token"] == "</s>"
    assert set(info) == {"vocab_size", "eos_token", "bos_token", "pad_token", "chat_template"}
    assert ask("GET", f"{base}/tokenizer_info", query="model=nope").status == 404


def test_models_have_root_and_context_and_aliases() -> None:
    body = ask("GET", "/v1/models").json
    assert body["object"] == "list"
    cards = {card["id"]: card for card in body["data"]}
    assert set(cards) == {"demo", "org/alias", "other/model"}
    assert cards["org/alias"] == {
        "id": "org/alias", "object": "model", "created": 900, "root": "demo", "max_model_len": 128,
        "owned_by": "podium",
    }  # fmt: skip


def test_a_model_is_found_by_an_id_with_slashes() -> None:
    assert ask("GET", "/v1/models/other/model").json["id"] == "other/model"
    missing = ask("GET", "/v1/models/other/none")
    assert (missing.status, missing.json["error"]["code"]) == (404, "model_not_found")
