"""What a checkpoint does, told from its configuration or by the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from podium.core.errors import UnsupportedArchitecture
from podium.models.checkpoint import inspect
from podium.models.task import task_of
from support.checkpoint_folders import CONFIG, ENCODER, write_checkpoint


@pytest.mark.parametrize(
    "architecture",
    [
        "BertModel",
        "MPNetModel",
        "XLMRobertaModel",
        "RobertaModel",
        "DistilBertModel",
        "ModernBertModel",
        "BertForMaskedLM",
    ],
)
def test_encoders_embed(tmp_path: Path, architecture: str) -> None:
    assert task_of(tmp_path, {"architectures": [architecture]}) == ("embed", architecture)


def test_causal_language_models_generate(tmp_path: Path) -> None:
    assert task_of(tmp_path, CONFIG) == ("generate", "LlamaForCausalLM")


def test_a_folder_of_sentence_transformers_embeds_whatever_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    assert task_of(tmp_path, CONFIG) == ("embed", "LlamaForCausalLM")


def test_the_operator_decides_where_both_are_possible(tmp_path: Path) -> None:
    assert task_of(tmp_path, CONFIG, "embed") == ("embed", "LlamaForCausalLM")
    (tmp_path / "modules.json").write_text("[]")
    assert task_of(tmp_path, CONFIG, "generate") == ("generate", "LlamaForCausalLM")


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (ENCODER, "generate"),
        ({"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}, "embed"),
        ({"architectures": ["BertForSequenceClassification"]}, "auto"),
        ({"architectures": ["ViTModel"]}, "auto"),
        ({}, "embed"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_is_supported(
    tmp_path: Path, config: dict[str, Any], wanted: Literal["auto", "generate", "embed"]
) -> None:
    with pytest.raises(UnsupportedArchitecture, match="BertModel"):
        task_of(tmp_path, config, wanted)


def test_a_checkpoint_that_embeds_is_described_as_such(tmp_path: Path) -> None:
    found = inspect(write_checkpoint(tmp_path, ENCODER))
    assert (found.task, found.architecture, found.max_model_len) == ("embed", "BertModel", 512)
