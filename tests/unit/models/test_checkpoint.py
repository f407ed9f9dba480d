"""What a model folder may hold, and what each refusal says."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from podium.core.errors import CheckpointInvalid, CheckpointUnsafe, ModelLoadError, UnsupportedArchitecture
from podium.models.checkpoint import inspect
from support.checkpoint_folders import CONFIG, framed, safetensors, write_checkpoint, write_ir, write_sharded

MODEL = "model.safetensors"
INDEX = "model.safetensors.index.json"


def _refusal(folder: Path, kind: type[ModelLoadError]) -> str:
    """The message of the refusal: one line that holds no path of this machine."""
    with pytest.raises(kind) as caught:
        inspect(folder)
    assert type(caught.value) is kind
    message = caught.value.message
    assert "\n" not in message
    assert str(folder) not in message
    assert "/" not in message.replace("owner/name", "")
    return message


def test_a_checkpoint_is_described_from_its_files(tmp_path: Path) -> None:
    found = inspect(write_checkpoint(tmp_path))
    assert (found.format, found.architecture, found.model_type, found.task) == (
        "safetensors",
        "LlamaForCausalLM",
        "llama",
        "generate",
    )
    assert (found.max_model_len, found.eos_token_ids, found.bos_token_id) == (128, frozenset({2}), 1)
    assert (found.weight_bytes, found.parameters, found.dtype) == (32, 10, "F32")
    assert found.files == (MODEL,)


def test_shards_count_together(tmp_path: Path) -> None:
    found = inspect(write_sharded(tmp_path))
    assert (found.weight_bytes, found.parameters) == (32, 10)
    assert found.files == ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")


def test_an_openvino_folder_is_recognised(tmp_path: Path) -> None:
    found = inspect(write_ir(tmp_path))
    assert (found.format, found.weight_bytes, found.parameters) == ("openvino", 16, None)


def test_the_generation_configuration_decides_the_end_tokens(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / "generation_config.json").write_text(json.dumps({"eos_token_id": [2, 7]}))
    assert inspect(tmp_path).eos_token_ids == frozenset({2, 7})


def test_the_text_part_of_a_nested_configuration_counts(tmp_path: Path) -> None:
    nested = {"text_config": {"max_position_embeddings": 77, "eos_token_id": 5}}
    found = inspect(write_checkpoint(tmp_path, {"architectures": ["XForCausalLM"], **nested}))
    assert (found.max_model_len, found.eos_token_ids) == (77, frozenset({5}))


@pytest.mark.parametrize("architecture", ["GPT2LMHeadModel", "OPTForCausalLM", "NeverHeardOfForCausalLM"])
def test_any_causal_language_model_passes(tmp_path: Path, architecture: str) -> None:
    assert inspect(write_checkpoint(tmp_path, {**CONFIG, "architectures": [architecture]})).architecture == architecture


@pytest.mark.parametrize(
    "config",
    [
        {**CONFIG, "architectures": ["BertForNextSentencePrediction"]},
        {**CONFIG, "architectures": []},
        {"model_type": "llama"},
        {**CONFIG, "architectures": "LlamaForCausalLM"},
        {**CONFIG, "architectures": ["TForCausalLM"], "is_encoder_decoder": True},
    ],
    ids=["classifier", "empty", "absent", "not a list", "encoder-decoder"],
)
def test_what_is_no_causal_language_model_is_refused_with_what_is_supported(
    tmp_path: Path, config: dict[str, object]
) -> None:
    assert "ForCausalLM" in _refusal(write_checkpoint(tmp_path, config), UnsupportedArchitecture)


def test_two_sentencepiece_models_in_the_place_of_a_tokenizer_are_refused_for_what_they_are(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path, {"architectures": ["MarianMTModel"], "is_encoder_decoder": True})
    (folder / "tokenizer.json").rename(folder / "source.spm")
    assert "SentencePiece" in _refusal(folder, CheckpointInvalid)


def test_an_encoder_decoder_reads_as_many_tokens_as_it_has_positions_for(tmp_path: Path) -> None:
    config = {"architectures": ["T5ForConditionalGeneration"], "is_encoder_decoder": True, "n_positions": 512}
    found = inspect(write_checkpoint(tmp_path, config))
    assert (found.task, found.max_model_len) == ("text2text_generation", 512)


def _remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _write(name: str, content: bytes) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_bytes(content)


GAP = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]}}
OVERLAP = {
    "a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    "b": {"dtype": "F32", "shape": [1], "data_offsets": [2, 6]},
}
LYING = {"a": {"dtype": "F32", "shape": [9], "data_offsets": [0, 4]}}
UNKNOWN = {"a": {"dtype": "Q77", "shape": [1], "data_offsets": [0, 4]}}
NEGATIVE = {"a": {"dtype": "F32", "shape": [-1, -1], "data_offsets": [0, 4]}}
DAMAGE: dict[str, tuple[Callable[[Path], object], str]] = {
    "no config": (_remove("config.json"), "config.json is missing"),
    "config is no JSON": (_write("config.json", b"{"), "config.json is not valid JSON"),
    "config is a list": (_write("config.json", b"[]"), "config.json is not valid JSON"),
    "config is not UTF-8": (_write("config.json", b'{"a": "\xff"}'), "config.json is not valid JSON"),
    "config is deep": (_write("config.json", b'{"a":' * 100_000), "config.json is not valid JSON"),
    "no tokenizer": (_remove("tokenizer.json"), "AutoTokenizer"),
    "tokenizer is something else": (_write("tokenizer.json", b'{"a": 1}'), "tokenizer.json is not a tokenizer"),
    "no weights": (_remove(MODEL), "no weights"),
    "weights are empty": (_write(MODEL, b""), MODEL),
    "header is cut": (_write(MODEL, safetensors({"a": ("F32", [2])})[:20]), "header"),
    "header length is huge": (_write(MODEL, b"\xff" * 16), "header"),
    "header is no JSON": (_write(MODEL, (4).to_bytes(8, "little") + b"abcd"), "header"),
    "header is a list": (_write(MODEL, framed([])), "header"),
    "data is cut": (_write(MODEL, safetensors({"a": ("F32", [8])}, cut_bytes=4)), "before its last tensor"),
    "data goes on": (_write(MODEL, safetensors({"a": ("F32", [8])}) + b"xxxx"), "after its last tensor"),
    "tensors leave a gap": (_write(MODEL, framed(GAP) + bytes(8)), "gaps"),
    "tensors overlap": (_write(MODEL, framed(OVERLAP) + bytes(6)), "overlap"),
    "a shape lies": (_write(MODEL, framed(LYING) + bytes(4)), "shape"),
    "a shape is negative": (_write(MODEL, framed(NEGATIVE) + bytes(4)), "shape"),
    "a type is unknown": (_write(MODEL, framed(UNKNOWN) + bytes(4)), "type"),
}  # fmt: skip


@pytest.mark.parametrize("case", DAMAGE)
def test_a_damaged_folder_is_refused_by_file_name(tmp_path: Path, case: str) -> None:
    damage, words = DAMAGE[case]
    damage(write_checkpoint(tmp_path))
    assert words in _refusal(tmp_path, CheckpointInvalid).replace("python -c", "")


def test_a_missing_shard_is_named(tmp_path: Path) -> None:
    write_sharded(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    assert "model-00002-of-00002.safetensors is missing" in _refusal(tmp_path, CheckpointInvalid)


def test_a_shard_without_a_promised_tensor_is_named(tmp_path: Path) -> None:
    write_sharded(tmp_path)
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(safetensors({"other": ("BF16", [4])}))
    assert "model-00002-of-00002.safetensors" in _refusal(tmp_path, CheckpointInvalid)


@pytest.mark.parametrize("index", [{}, {"weight_map": {}}, {"weight_map": {"a": 3}}, {"weight_map": []}])
def test_an_index_without_a_map_is_refused(tmp_path: Path, index: object) -> None:
    (write_sharded(tmp_path) / INDEX).write_text(json.dumps(index))
    assert "weight_map" in _refusal(tmp_path, CheckpointInvalid)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "sub/model.safetensors"])
def test_an_index_cannot_point_out_of_the_folder(tmp_path: Path, name: str) -> None:
    (write_sharded(tmp_path) / INDEX).write_text(json.dumps({"weight_map": {"a": name}}))
    _refusal(tmp_path, CheckpointUnsafe)


def test_a_lora_adapter_alone_is_told_apart(tmp_path: Path) -> None:
    (write_checkpoint(tmp_path) / MODEL).rename(tmp_path / "adapter_model.safetensors")
    assert "LoRA" in _refusal(tmp_path, CheckpointInvalid)


def test_something_that_is_no_folder_is_refused(tmp_path: Path) -> None:
    _refusal(tmp_path / "absent", CheckpointInvalid)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "model.pt", "weights.pth", "model.pkl", "last.ckpt"])
def test_pickled_weights_are_refused_unopened(tmp_path: Path, name: str) -> None:
    (write_checkpoint(tmp_path) / MODEL).unlink()
    (tmp_path / name).write_bytes(b"\x80\x04would run")
    assert name in _refusal(tmp_path, CheckpointUnsafe)


def test_a_pickle_beside_safetensors_does_not_matter(tmp_path: Path) -> None:
    (write_checkpoint(tmp_path) / "pytorch_model.bin").write_bytes(b"\x80\x04would run")
    assert inspect(tmp_path).files == (MODEL,)


@pytest.mark.parametrize("name", ["config.json", "tokenizer_config.json"])
def test_code_in_a_checkpoint_needs_the_operators_word(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path)
    (tmp_path / name).write_text(json.dumps({**CONFIG, "auto_map": {"AutoModelForCausalLM": "modeling.X"}}))
    assert "trust_remote_code" in _refusal(tmp_path, CheckpointUnsafe)
    assert inspect(tmp_path, trust_remote_code=True).trust_remote_code


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model")
    (folder / MODEL).rename(tmp_path / "elsewhere")
    (folder / MODEL).symlink_to(tmp_path / "elsewhere")
    assert MODEL in _refusal(folder, CheckpointUnsafe)


def test_a_link_inside_the_folder_is_fine(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path)
    (folder / MODEL).rename(folder / "weights.data")
    (folder / MODEL).symlink_to("weights.data")
    assert inspect(folder).parameters == 10


def test_a_snapshot_may_link_to_its_own_blobs_only(tmp_path: Path) -> None:
    repository = tmp_path / "models--owner--name"
    folder = write_checkpoint(repository / "snapshots" / "abc123")
    (repository / "blobs").mkdir()
    (folder / MODEL).rename(repository / "blobs" / "deadbeef")
    (folder / MODEL).symlink_to("../../blobs/deadbeef")
    assert inspect(folder).parameters == 10
    (folder / "config.json").rename(tmp_path / "elsewhere.json")
    (folder / "config.json").symlink_to(tmp_path / "elsewhere.json")
    _refusal(folder, CheckpointUnsafe)


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (_remove("openvino_model.bin"), "openvino_model.bin is missing"),
        (_write("openvino_model.bin", bytes(15)), "ends before its last tensor"),
        (_write("openvino_model.xml", b'<?xml version="1.0"?><net name="m"><layers>'), "openvino_model.xml is damaged"),
        (_write("openvino_model.xml", b"hello"), "openvino_model.xml is damaged"),
    ],
)
def test_a_damaged_ir_is_refused_by_file_name(tmp_path: Path, damage: Callable[[Path], object], words: str) -> None:
    damage(write_ir(tmp_path))
    assert words in _refusal(tmp_path, CheckpointInvalid)


@settings(max_examples=200, deadline=None)
@given(junk=st.binary(max_size=400), place=st.integers(0, 200))
def test_no_bytes_in_a_weight_file_raise_anything_but_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, junk: bytes, place: int
) -> None:
    folder = write_checkpoint(tmp_path_factory.mktemp("fuzz"))
    whole = (folder / MODEL).read_bytes()
    (folder / MODEL).write_bytes(whole[:place] + junk)
    try:
        inspect(folder)
    except CheckpointInvalid as error:
        refused = error.message
        assert MODEL in refused
