"""What the openvino adapter asks of the pipeline for a folder and a setting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from podium.config.engine import OpenVINOEngine
from podium.engine.adapters.openvino_settings import BLOCK_TOKENS, kv_blocks, settings_for

INT8 = '<const><data element_type="i8" shape="4096, 320" offset="0" size="1310720"/></const>'
F16 = '<const><data element_type="f16" shape="4096, 320" offset="0" size="2621440"/></const>'
SHAPE = {"num_hidden_layers": 6, "num_attention_heads": 5, "hidden_size": 320, "head_dim": 64}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.json").write_text(json.dumps(SHAPE))
    return tmp_path


def write_weights(folder: Path, text: str) -> None:
    (folder / "openvino_model.xml").write_text(text)


def test_int8_weights_are_multiplied_by_int8_activations(folder: Path) -> None:
    write_weights(folder, INT8)
    settings = settings_for(folder, OpenVINOEngine())
    assert settings.arithmetic == "int8"
    assert settings.properties["INFERENCE_PRECISION_HINT"] == "f32"
    assert settings.properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == "128"


def test_int8_activations_can_be_turned_off(folder: Path) -> None:
    write_weights(folder, INT8)
    properties = settings_for(folder, OpenVINOEngine(int8_activations=False)).properties
    assert "INFERENCE_PRECISION_HINT" not in properties
    assert "DYNAMIC_QUANTIZATION_GROUP_SIZE" not in properties


def test_other_weights_keep_the_device_s_own_arithmetic(folder: Path) -> None:
    write_weights(folder, F16)
    assert "INFERENCE_PRECISION_HINT" not in settings_for(folder, OpenVINOEngine()).properties


def test_f32_is_exact_in_weights_activations_and_cache(folder: Path) -> None:
    write_weights(folder, F16)
    properties = settings_for(folder, OpenVINOEngine(precision="f32")).properties
    assert properties["INFERENCE_PRECISION_HINT"] == "f32"
    assert properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] == "0"
    assert properties["KV_CACHE_PRECISION"] == "f32"


def test_the_kv_cache_gets_the_bytes_that_were_asked_for_and_no_more(folder: Path) -> None:
    write_weights(folder, F16)
    settings = settings_for(folder, OpenVINOEngine(kv_cache_bytes=64 * 2**20))
    block_bytes = 145_920  # measured: the pipeline's own figure for this shape with an 8-bit cache
    assert settings.scheduler["num_kv_blocks"] == 64 * 2**20 // block_bytes
    assert "cache_size" not in settings.scheduler
    assert settings.kv_cache_tokens == settings.scheduler["num_kv_blocks"] * BLOCK_TOKENS


def test_a_model_of_unknown_shape_gets_whole_gib(folder: Path) -> None:
    write_weights(folder, F16)
    (folder / "config.json").write_text("{}")
    scheduler = settings_for(folder, OpenVINOEngine(kv_cache_bytes=64 * 2**20)).scheduler
    assert scheduler["cache_size"] == 1
    assert "num_kv_blocks" not in scheduler


def test_shared_kv_heads_take_less() -> None:
    members = {"n_layer": 1, "n_head": 8, "n_embd": 512}
    alone = kv_blocks(2**30, members, "f32")
    assert kv_blocks(2**30, {**members, "num_key_value_heads": 2}, "f32") == 4 * alone
