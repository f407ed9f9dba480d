"""What a checkpoint's files say about how its encoder-decoder writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from podium.config.models import Model, Text2Text
from podium.core.errors import CheckpointInvalid, ConfigurationError
from podium.engine.text2text import Text2TextPlan
from podium.models.text2text_plan import plan_without_files, text2text_plan

SUMMARY = {"prefix": "summarize: ", "max_length": 200, "min_length": 30, "no_repeat_ngram_size": 3, "num_beams": 4}
T5 = {"decoder_start_token_id": 0, "n_positions": 512, "task_specific_params": {"summarization": SUMMARY}}
BART = {"max_position_embeddings": 1024, "decoder_start_token_id": 2, "forced_bos_token_id": 9}
RULES = {
    "decoder_start_token_id": 2, "forced_bos_token_id": 0, "forced_eos_token_id": 2, "max_length": 142,
    "min_length": 56, "no_repeat_ngram_size": 3, "bad_words_ids": [[7], [8, 9]],
}  # fmt: skip


def plan(
    folder: Path, config: dict[str, Any], rules: dict[str, Any] | None = None, *, most: int = 0, **settings: Any
) -> Text2TextPlan:
    (folder / "config.json").write_text(json.dumps(config))
    if rules is not None:
        (folder / "generation_config.json").write_text(json.dumps(rules))
    model = Model(name="m", source="x", max_model_len=most, text2text=Text2Text(**settings))
    return text2text_plan(model, folder)


def test_rules_come_from_the_generation_configuration_and_lengths_are_without_the_decoder_s_start(
    tmp_path: Path,
) -> None:
    assert plan(tmp_path, BART, RULES) == Text2TextPlan(
        decoder_start_token_id=2,
        max_input_tokens=1024,
        max_output_tokens=1024,
        default_output_tokens=141,
        min_output_tokens=55,
        forced_bos_token_id=0,
        forced_eos_token_ids=(2,),
        no_repeat_ngram_size=3,
        bad_words_ids=((7,), (8, 9)),
    )


def test_without_a_generation_configuration_they_come_from_the_configuration(tmp_path: Path) -> None:
    assert plan(tmp_path, BART).forced_bos_token_id == 9


def test_texts_are_left_as_they_come_unless_a_preset_is_chosen(tmp_path: Path) -> None:
    plain = plan(tmp_path, T5)
    assert (plain.prefix, plain.no_repeat_ngram_size, plain.default_output_tokens) == ("", 0, 0)
    chosen = plan(tmp_path, T5, preset="summarization")
    assert (chosen.prefix, chosen.no_repeat_ngram_size) == ("summarize: ", 3)
    assert (chosen.default_output_tokens, chosen.min_output_tokens) == (199, 29)
    assert plan(tmp_path, T5, preset="summarization", prefix="tl;dr: ").prefix == "tl;dr: "


def test_a_preset_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"'translation'.*: it has summarization\."):
        plan(tmp_path, T5, preset="translation")
    with pytest.raises(ConfigurationError, match="it has none"):
        plan(tmp_path, BART, preset="translation")


def test_beams_are_not_done_and_the_log_says_so(tmp_path: Path) -> None:
    with capture_logs() as records:
        plan(tmp_path, BART, {**RULES, "num_beams": 4, "length_penalty": 2.0, "repetition_penalty": 1.0})
    assert [record["ignored"] for record in records] == [["num_beams"]]
    with capture_logs() as records:
        plan(tmp_path, BART, RULES)
    assert not records


def test_relative_positions_have_the_told_context_or_any_that_the_operator_wants(tmp_path: Path) -> None:
    assert plan(tmp_path, T5).max_input_tokens == 512
    assert plan(tmp_path, T5, most=2048).max_output_tokens == 2048
    assert plan(tmp_path, {"decoder_start_token_id": 0}).max_input_tokens == 512


def test_a_table_of_positions_bounds_the_context(tmp_path: Path) -> None:
    assert plan(tmp_path, BART, RULES, most=100).default_output_tokens == 100
    with pytest.raises(ConfigurationError, match="positions for 1024"):
        plan(tmp_path, BART, most=2048)


def test_a_decoder_without_a_start_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointInvalid, match="decoder_start_token_id"):
        plan(tmp_path, {"max_position_embeddings": 64})
    assert plan(tmp_path, {"max_position_embeddings": 64, "bos_token_id": 5}).decoder_start_token_id == 5


@pytest.mark.parametrize(
    "member",
    [
        {"bad_words_ids": [[]]}, {"bad_words_ids": ["x"]}, {"forced_bos_token_id": -1}, {"no_repeat_ngram_size": -2},
        {"suppress_tokens": 7}, {"max_length": "long"}, {"decoder_start_token_id": 1.5},
    ],
    ids=str,
)  # fmt: skip
def test_rules_of_other_types_are_a_damaged_checkpoint(tmp_path: Path, member: dict[str, Any]) -> None:
    with pytest.raises(CheckpointInvalid, match=f"cannot be read: .*{next(iter(member))}"):
        plan(tmp_path, BART, {**RULES, **member})


def test_the_target_language_is_a_token_of_the_checkpoint(tmp_path: Path) -> None:
    vocabulary = {"[UNK]": 0, "de_DE": 41}
    tokenizer = {"version": "1.0", "model": {"type": "WordLevel", "vocab": vocabulary, "unk_token": "[UNK]"}}
    (tmp_path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert plan(tmp_path, BART, RULES, forced_bos_token="de_DE").forced_bos_token_id == 41
    with pytest.raises(ConfigurationError, match="'xx_XX'"):
        plan(tmp_path, BART, RULES, forced_bos_token="xx_XX")


def test_without_files_the_settings_alone_count() -> None:
    model = Model(name="m", source="none", text2text=Text2Text(prefix="say: "))
    assert plan_without_files(model, 64) == Text2TextPlan(0, 64, 64, prefix="say: ")
