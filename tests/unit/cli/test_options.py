from __future__ import annotations

from pathlib import Path

import pytest

from podium.cli.failure import Failure
from podium.cli.options import model_from, models_from, settings_from


def test_a_folder_is_named_after_itself() -> None:
    Path("my-gpt2").mkdir()
    assert model_from("./my-gpt2") == {"name": "my-gpt2", "source": str(Path("my-gpt2").resolve())}


def test_a_name_can_be_given() -> None:
    Path("my-gpt2").mkdir()
    assert model_from("small=./my-gpt2")["name"] == "small"
    assert model_from("small=owner/big-model") == {"name": "small", "source": "owner/big-model"}


def test_a_hub_id_is_named_by_its_last_part() -> None:
    assert model_from("openai-community/gpt2") == {"name": "gpt2", "source": "openai-community/gpt2"}


def test_the_demo_model_can_be_asked_for() -> None:
    assert model_from("builtin:demo") == {"name": "demo", "source": "builtin:demo"}


@pytest.mark.parametrize("text", ["./no-such-folder", "/no/such/folder", "gpt2"])
def test_a_folder_that_is_not_there_is_told_before_anything_starts(text: str) -> None:
    with pytest.raises(Failure, match="no such folder") as caught:
        model_from(text)
    assert caught.value.code == 2


def test_models_of_flags_replace_the_configured_ones_and_share_the_engine() -> None:
    Path("podium.yaml").write_text("models: [{name: old, source: ./old}]\n")
    loaded = settings_from(None, models=models_from(["a/b", "x=c/d"], "echo"))
    assert [(model.name, model.engine.kind) for model in loaded.settings.models] == [("b", "echo"), ("x", "echo")]


def test_without_the_flag_the_configured_models_stay() -> None:
    Path("podium.yaml").write_text("models: [{name: old, source: ./old}]\n")
    assert [model.name for model in settings_from(None, models=models_from(None)).settings.models] == ["old"]


def test_an_engine_without_a_model_is_refused() -> None:
    with pytest.raises(Failure, match="--engine goes with --model"):
        models_from(None, "echo")
