"""A Hugging Face checkpoint in a folder is one flag away, on each engine that can run it here."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from podium.testing.server_process import server_process
from support.deadline import until
from support.require import require

PROMPT = {"prompt": [5, 6, 7, 8, 9, 10], "max_tokens": 12, "temperature": 0, "ignore_eos": True}


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("torch")
    import models_factory  # noqa: PLC0415 - needs torch

    folder = tmp_path_factory.mktemp("checkpoints") / "my-gpt2"
    models_factory.make_checkpoint(folder, "gpt2")
    return folder


@pytest.mark.hf
def test_openvino_at_f32_and_transformers_say_the_same_over_http(checkpoint: Path, tmp_path: Path) -> None:
    models = [
        {"name": engine["kind"], "source": str(checkpoint), "engine": engine}
        for engine in ({"kind": "openvino", "precision": "f32"}, {"kind": "transformers", "precision": "f32"})
    ]
    with server_process(*models, server={"cache_dir": str(tmp_path / "cache")}) as server:
        answers = {
            model["name"]: server.post("/v1/completions", {"model": model["name"], **PROMPT}).json() for model in models
        }
        texts = {name: answer["choices"][0]["text"] for name, answer in answers.items()}
        assert texts["openvino"] == texts["transformers"]
        assert texts["openvino"]


@pytest.mark.hf
def test_a_conversion_is_kept_and_the_next_start_finds_it(checkpoint: Path, tmp_path: Path) -> None:
    model = {"name": "mine", "source": str(checkpoint)}
    for _ in range(2):
        with server_process(model, server={"cache_dir": str(tmp_path / "cache")}) as server:
            assert server.get("/models").json()["models"]["mine"]["engine"] == "openvino"
            stages = {record["stage"] for record in server.log if record.get("event") == "loading"}
    assert "exporting" not in stages
    assert "compiling" in stages


@pytest.mark.hf
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (lambda folder: (folder / "model.safetensors").write_bytes(b"\x00" * 100), "safetensors"),
        (lambda folder: (folder / "model.safetensors").rename(folder / "pytorch_model.bin"), "safetensors"),
        (
            lambda folder: (folder / "config.json").write_text('{"architectures": ["BertForNextSentencePrediction"]}'),
            "causal language",
        ),
        (
            lambda folder: (folder / "config.json").write_text(
                '{"architectures": ["OddForCausalLM"], "model_type": "odd", "max_position_embeddings": 64}'
            ),
            "architecture",
        ),
        (lambda folder: (folder / "tokenizer.json").unlink(), "tokenizer.json"),
    ],
    ids=["damaged", "pickled", "other task", "unknown architecture", "no tokenizer"],
)
def test_a_bad_checkpoint_is_one_line_that_says_what_and_the_server_lives_on(
    checkpoint: Path, tmp_path: Path, damage: object, words: str
) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(checkpoint, bad)
    damage(bad)  # type: ignore[operator]
    models: list[dict[str, Any]] = [
        {"name": "bad", "source": str(bad)},
        {"name": "good", "source": str(checkpoint), "engine": {"kind": "transformers", "precision": "f32"}},
    ]
    with server_process(*models, server={"cache_dir": str(tmp_path / "cache")}) as server:
        told = until("the failure is logged", lambda: server.logged("model failed to load"))
        assert words in told["message"]
        assert "\n" not in told["message"]
        assert str(tmp_path) not in told["message"]
        assert server.probe("livez").status_code == 200
        assert server.probe("readyz").status_code == 503
        assert server.post("/v1/completions", {"model": "good", **PROMPT}).status_code == 200
