"""SHA-256 of model files: against a manifest, and as the key of a conversion."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from podium.core.errors import CheckpointInvalid, CheckpointUnsafe
from podium.models.file_hashes import content_hash, verify_files
from support.checkpoint_folders import write_checkpoint, write_sharded

MODEL = "model.safetensors"


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_manifest(folder: Path, files: object) -> None:
    (folder / "manifest.json").write_text(json.dumps({"files": files, "note": "other members are ignored"}))


def test_nothing_expected_means_nothing_is_hashed(tmp_path: Path) -> None:
    assert verify_files(write_checkpoint(tmp_path), {}) == {}


def test_matching_files_pass_and_their_digests_are_returned(tmp_path: Path) -> None:
    digest = _sha256(write_checkpoint(tmp_path) / MODEL)
    assert verify_files(tmp_path, {MODEL: digest.upper()}) == {MODEL: digest}


def test_one_flipped_bit_is_found_and_the_file_named(tmp_path: Path) -> None:
    digest = _sha256(write_checkpoint(tmp_path) / MODEL)
    content = bytearray((tmp_path / MODEL).read_bytes())
    content[-1] ^= 1
    (tmp_path / MODEL).write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=MODEL):
        verify_files(tmp_path, {MODEL: digest})


def test_files_longer_than_one_block_are_hashed_whole(tmp_path: Path) -> None:
    content = bytes(range(256)) * 8192 + b"end"
    (tmp_path / "big.json").write_bytes(content)
    assert verify_files(tmp_path, {"big.json": hashlib.sha256(content).hexdigest()})


def test_the_folders_own_manifest_is_checked_too(tmp_path: Path) -> None:
    path = write_checkpoint(tmp_path) / MODEL
    _write_manifest(tmp_path, {MODEL: {"sha256": _sha256(path), "bytes": path.stat().st_size}})
    assert verify_files(tmp_path, {}) == {MODEL: _sha256(path)}
    _write_manifest(tmp_path, {MODEL: {"sha256": "0" * 64}})
    with pytest.raises(CheckpointInvalid, match=MODEL):
        verify_files(tmp_path, {})


def test_the_configuration_overrules_the_manifest(tmp_path: Path) -> None:
    digest = _sha256(write_checkpoint(tmp_path) / MODEL)
    _write_manifest(tmp_path, {MODEL: {"sha256": digest}})
    with pytest.raises(CheckpointInvalid, match=MODEL):
        verify_files(tmp_path, {MODEL: "0" * 64})


def test_a_wrong_size_is_found(tmp_path: Path) -> None:
    digest = _sha256(write_checkpoint(tmp_path) / MODEL)
    _write_manifest(tmp_path, {MODEL: {"sha256": digest, "bytes": 5}})
    with pytest.raises(CheckpointInvalid, match="size"):
        verify_files(tmp_path, {})


def test_an_expected_file_that_is_missing_is_named(tmp_path: Path) -> None:
    write_checkpoint(tmp_path)
    with pytest.raises(CheckpointInvalid, match=r"absent\.safetensors is missing"):
        verify_files(tmp_path, {"absent.safetensors": "0" * 64})


def test_a_weight_file_that_nobody_vouches_for_is_refused(tmp_path: Path) -> None:
    write_sharded(tmp_path)
    first = "model-00001-of-00002.safetensors"
    with pytest.raises(CheckpointInvalid, match=r"model-00002-of-00002\.safetensors"):
        verify_files(tmp_path, {first: _sha256(tmp_path / first)})


@pytest.mark.parametrize("name", ["../outside", "/etc/hostname", "sub/file"])
def test_a_name_cannot_leave_the_folder(tmp_path: Path, name: str) -> None:
    write_checkpoint(tmp_path)
    with pytest.raises(CheckpointUnsafe):
        verify_files(tmp_path, {name: "0" * 64})


@pytest.mark.parametrize("content", [b"{", b"[]", b'{"files": {"a": 3}}', b"\xff"])
def test_a_broken_manifest_is_refused(tmp_path: Path, content: bytes) -> None:
    (write_checkpoint(tmp_path) / "manifest.json").write_bytes(content)
    with pytest.raises(CheckpointInvalid, match=r"manifest\.json"):
        verify_files(tmp_path, {})


def test_the_content_hash_depends_on_content_and_names_only(tmp_path: Path) -> None:
    first = content_hash(write_checkpoint(tmp_path / "one"))
    assert content_hash(write_checkpoint(tmp_path / "another place")) == first


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", MODEL, "generation_config.json"])
def test_the_content_hash_changes_with_each_file(tmp_path: Path, name: str) -> None:
    before = content_hash(write_checkpoint(tmp_path))
    with (tmp_path / name).open("ab") as file:
        file.write(b" ")
    assert content_hash(tmp_path) != before


def test_a_read_me_does_not_change_the_content_hash(tmp_path: Path) -> None:
    before = content_hash(write_checkpoint(tmp_path))
    (tmp_path / "README.md").write_text("about")
    assert content_hash(tmp_path) == before


def test_moving_a_byte_from_a_name_into_another_file_changes_the_content_hash(tmp_path: Path) -> None:
    for folder, names in (("one", ("ab.json", "c.json")), ("two", ("a.json", "bc.json"))):
        (tmp_path / folder).mkdir()
        for name in names:
            (tmp_path / folder / name).write_text("{}")
    assert content_hash(tmp_path / "one") != content_hash(tmp_path / "two")
