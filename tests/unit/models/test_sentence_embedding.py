"""What the files of sentence-transformers say, and what wins over them."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from podium.config.models import Embedding, Model
from podium.core.errors import CheckpointInvalid, ConfigurationError, ModelLoadError, UnsupportedArchitecture
from podium.engine.one_shot import EmbeddingPlan
from podium.models.runnable import Runnable, SourcePolicy, make_runnable
from podium.models.sentence_embedding import embedding_plan, position_count
from support.checkpoint_folders import ENCODER, write_checkpoint, write_ir

PREFIX = "sentence_transformers.models"
TWO_MODES = {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True}


def write_modules(folder: Path, *kinds: str, pooling: dict[str, Any] | None = None, length: int | None = None) -> Path:
    """A folder with these modules; pooling by mean unless told."""
    paths = ["" if kind == "Transformer" else f"{number}_{kind}" for number, kind in enumerate(kinds)]
    listed = [
        {"idx": number, "path": path, "type": f"{PREFIX}.{kind}"}
        for number, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    (folder / "modules.json").write_text(json.dumps(listed))
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(pooling or {"pooling_mode_mean_tokens": True}))
    if length is not None:
        (folder / "sentence_bert_config.json").write_text(json.dumps({"max_seq_length": length}))
    return folder


def test_a_whole_folder_says_everything(tmp_path: Path) -> None:
    pooling = {"word_embedding_dimension": 8, "pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    write_modules(tmp_path, "Transformer", "Pooling", "Normalize", pooling=pooling, length=256)
    assert embedding_plan(Embedding(), tmp_path) == EmbeddingPlan("cls", True, 256)


@pytest.mark.parametrize(
    ("config", "pooling"),
    [
        ({"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": False}, "mean"),
        ({"pooling_mode_lasttoken": True, "include_prompt": True}, "last"),
        ({"pooling_mode": "cls"}, "cls"),
        ({"pooling_mode": "lasttoken"}, "last"),
    ],
)
def test_old_and_new_words_for_pooling_are_understood(tmp_path: Path, config: dict[str, Any], pooling: str) -> None:
    write_modules(tmp_path, "Transformer", "Pooling", pooling=config)
    assert embedding_plan(Embedding(), tmp_path).pooling == pooling


def test_without_a_normalize_module_vectors_keep_their_length(tmp_path: Path) -> None:
    write_modules(tmp_path, "Transformer", "Pooling")
    assert not embedding_plan(Embedding(), tmp_path).normalize


def test_a_bare_encoder_is_pooled_by_mean_and_brought_to_length_one(tmp_path: Path) -> None:
    assert embedding_plan(Embedding(), tmp_path) == EmbeddingPlan("mean", True, 0)
    assert embedding_plan(Embedding()) == EmbeddingPlan("mean", True, 0)


def test_settings_win_over_files(tmp_path: Path) -> None:
    write_modules(tmp_path, "Transformer", "Pooling", "Normalize", pooling={"pooling_mode_max_tokens": True})
    assert embedding_plan(Embedding(pooling="last", normalize=False), tmp_path) == EmbeddingPlan("last", False, 0)


@pytest.mark.parametrize(
    ("kinds", "pooling", "kind"),
    [
        (("Transformer", "Pooling", "Dense"), None, UnsupportedArchitecture),
        (("Transformer", "Pooling"), {"pooling_mode_max_tokens": True}, UnsupportedArchitecture),
        (
            ("Transformer", "Pooling"),
            {"pooling_mode_mean_tokens": True, "pooling_mode_cls_token": True},
            UnsupportedArchitecture,
        ),
        (("Transformer", "Pooling"), {"pooling_mode": "weightedmean"}, UnsupportedArchitecture),
    ],
)
def test_what_is_not_computed_here_is_refused_instead_of_ignored(
    tmp_path: Path, kinds: tuple[str, ...], pooling: dict[str, Any] | None, kind: type[ModelLoadError]
) -> None:
    write_modules(tmp_path, *kinds, pooling=pooling)
    with pytest.raises(kind):
        embedding_plan(Embedding(), tmp_path)


@pytest.mark.parametrize("text", ["{", "{}", "[1]", '[{"type": "x.Pooling", "path": "../1_Pooling"}]'])
def test_a_damaged_list_of_modules_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "modules.json").write_text(text)
    with pytest.raises(CheckpointInvalid, match=r"modules\.json"):
        embedding_plan(Embedding(), tmp_path)


@pytest.mark.parametrize(
    ("config", "count"),
    [
        ({"model_type": "bert", "max_position_embeddings": 512, "pad_token_id": 0}, 512),
        ({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "mpnet", "max_position_embeddings": 514, "pad_token_id": 1}, 512),
        ({"model_type": "t5"}, 0),
    ],
)
def test_positions_that_hold_no_token_do_not_count(config: dict[str, Any], count: int) -> None:
    assert position_count(config) == count


def test_a_context_beyond_the_positions_is_refused_at_load_and_the_trained_one_is_the_default(tmp_path: Path) -> None:
    folder = write_modules(write_checkpoint(tmp_path, ENCODER), "Transformer", "Pooling", length=256)
    write_ir(folder)
    (folder / "config.json").write_text(json.dumps(ENCODER))
    policy = SourcePolicy(roots=(folder,), cache_dir=tmp_path)

    def runnable(max_model_len: int) -> Runnable:
        model = Model(name="m", source=str(folder), max_model_len=max_model_len)
        return asyncio.run(make_runnable(model, policy, lambda _stage, _ratio: None))

    found = runnable(0)
    assert found.one_shot is not None
    assert found.one_shot.plan.max_model_len == 256
    assert runnable(512).one_shot is not None
    with pytest.raises(ConfigurationError, match="513, and the checkpoint has positions for 512"):
        runnable(513)
