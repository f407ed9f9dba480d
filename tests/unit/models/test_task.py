"""What a checkpoint does, told from its configuration or by the operator."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import pytest

from podium.core.errors import CheckpointInvalid, UnsupportedArchitecture
from podium.core.one_shot import Task
from podium.models.checkpoint import inspect
from podium.models.task import task_of
from podium.models.task_plans import classification_plan
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
    ],
)
def test_encoders_embed(tmp_path: Path, architecture: str) -> None:
    assert task_of(tmp_path, {"architectures": [architecture]}) == ("embed", architecture)


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForMaskedLM", "fill_mask"),
        ("DistilBertForTokenClassification", "token_classification"),
        ("RobertaForQuestionAnswering", "question_answering"),
    ],
)
def test_encoders_with_another_head_do_what_it_is_for(tmp_path: Path, architecture: str, task: Task) -> None:
    assert task_of(tmp_path, {"architectures": [architecture]}) == (task, architecture)
    (tmp_path / "modules.json").write_text("[]")
    expected = "embed" if task == "fill_mask" else task
    assert task_of(tmp_path, {"architectures": [architecture]}) == (expected, architecture)
    assert task_of(tmp_path, {"architectures": [architecture]}, "embed") == ("embed", architecture)


def test_a_classifier_that_knows_entailment_is_there_for_zero_shot_labels_and_may_classify(tmp_path: Path) -> None:
    config = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "ENTAILMENT", "1": "neutral"}}
    assert task_of(tmp_path, config)[0] == "zero_shot"
    assert task_of(tmp_path, config, "classify")[0] == "classify"
    with pytest.raises(UnsupportedArchitecture, match="none of its labels"):
        task_of(tmp_path, {**config, "id2label": {"0": "good", "1": "bad"}}, "zero_shot")


def test_causal_language_models_generate(tmp_path: Path) -> None:
    assert task_of(tmp_path, CONFIG) == ("generate", "LlamaForCausalLM")


@pytest.mark.parametrize(
    "architecture", ["T5ForConditionalGeneration", "MT5ForConditionalGeneration", "BartForConditionalGeneration",
                     "MBartForConditionalGeneration", "MarianMTModel"]
)  # fmt: skip
def test_encoder_decoders_turn_text_into_text_and_nothing_else(tmp_path: Path, architecture: str) -> None:
    config = {"architectures": [architecture]}
    assert task_of(tmp_path, config) == ("text2text_generation", architecture)
    for wanted in ("generate", "embed", "classify"):
        with pytest.raises(UnsupportedArchitecture, match=f"cannot {wanted}"):
            task_of(tmp_path, config, wanted)
    with pytest.raises(UnsupportedArchitecture, match="cannot text2text_generation"):
        task_of(tmp_path, CONFIG, "text2text_generation")


def test_a_folder_of_sentence_transformers_embeds_whatever_its_architecture(tmp_path: Path) -> None:
    (tmp_path / "modules.json").write_text("[]")
    assert task_of(tmp_path, CONFIG) == ("embed", "LlamaForCausalLM")


def test_the_operator_decides_where_both_are_possible(tmp_path: Path) -> None:
    assert task_of(tmp_path, CONFIG, "embed") == ("embed", "LlamaForCausalLM")
    (tmp_path / "modules.json").write_text("[]")
    assert task_of(tmp_path, CONFIG, "generate") == ("generate", "LlamaForCausalLM")


@pytest.mark.parametrize(
    ("members", "task"),
    [
        ({}, "classify"),
        ({"id2label": {"0": "bad", "1": "good"}}, "classify"),
        ({"id2label": {"0": "LABEL_0"}}, "rerank"),
        ({"num_labels": 1}, "rerank"),
    ],
)
def test_encoders_with_a_classification_head_classify_and_with_one_output_rerank(
    tmp_path: Path, members: dict[str, Any], task: Task
) -> None:
    config = {"architectures": ["RobertaForSequenceClassification"], **members}
    assert task_of(tmp_path, config) == (task, "RobertaForSequenceClassification")


def test_what_has_several_outputs_does_not_rerank_and_what_has_one_may_classify(tmp_path: Path) -> None:
    several = {"architectures": ["BertForSequenceClassification"], "num_labels": 3}
    with pytest.raises(UnsupportedArchitecture, match="has 3 outputs"):
        task_of(tmp_path, several, "rerank")
    assert task_of(tmp_path, {**several, "num_labels": 1}, "classify")[0] == "classify"


def test_labels_are_in_the_order_of_the_outputs_and_numbered_where_they_have_no_names() -> None:
    named = {"id2label": {"1": "one", "0": "nought"}, "problem_type": "multi_label_classification"}
    plan = classification_plan("classify", named)
    assert (plan.labels, plan.multi_label) == (("nought", "one"), True)
    assert classification_plan("classify", {"num_labels": 3}).labels == ("LABEL_0", "LABEL_1", "LABEL_2")
    assert classification_plan("classify").labels == ("LABEL_0", "LABEL_1")
    assert classification_plan("rerank", {"num_labels": 1}).labels == ("relevance",)


@pytest.mark.parametrize(
    "config",
    [{"id2label": {"0": "a", "2": "b"}}, {"id2label": {"0": "a", "1": "a"}}, {"num_labels": 0}, {"num_labels": "two"}],
)
def test_labels_with_holes_twins_or_no_count_are_a_damaged_checkpoint(config: dict[str, Any]) -> None:
    with pytest.raises(CheckpointInvalid, match=r"of config\.json"):
        classification_plan("classify", config)


@pytest.mark.parametrize(
    ("config", "wanted"),
    [
        (ENCODER, "generate"),
        ({"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True}, "embed"),
        ({"architectures": ["LlamaForSequenceClassification"]}, "auto"),
        (ENCODER, "classify"),
        (CONFIG, "rerank"),
        ({"architectures": ["ViTModel"]}, "auto"),
        ({}, "embed"),
    ],
)
def test_what_cannot_be_done_is_refused_with_what_is_supported(
    tmp_path: Path, config: dict[str, Any], wanted: Literal["auto"] | Task
) -> None:
    with pytest.raises(UnsupportedArchitecture, match="BertModel"):
        task_of(tmp_path, config, wanted)


def test_a_checkpoint_that_embeds_is_described_as_such(tmp_path: Path) -> None:
    found = inspect(write_checkpoint(tmp_path, ENCODER))
    assert (found.task, found.architecture, found.max_model_len) == ("embed", "BertModel", 512)
