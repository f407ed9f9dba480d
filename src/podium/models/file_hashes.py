"""SHA-256 of model files: checked against a manifest, and folded into one key for the conversion cache."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import msgspec

from podium.core.errors import CheckpointInvalid, CheckpointUnsafe

MANIFEST = "manifest.json"

_BLOCK_BYTES = 1024**2
_WEIGHT_SUFFIXES = (".safetensors", "openvino_model.bin")
_CONTENT_SUFFIXES = frozenset({".json", ".safetensors", ".jinja", ".model", ".txt", ".py", ".xml", ".bin"})


class ManifestFile(msgspec.Struct, frozen=True):
    """One entry of a manifest."""

    sha256: str
    bytes: int | None = None


class Manifest(msgspec.Struct, frozen=True):
    """``manifest.json`` of a model folder; other members are allowed and ignored."""

    files: dict[str, ManifestFile]


def read_manifest(folder: Path) -> dict[str, ManifestFile]:
    """The folder's manifest, or nothing where there is none. Raises ``CheckpointInvalid`` for a broken one."""
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=Manifest).files
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise CheckpointInvalid(f"{MANIFEST} is not a manifest of files with sha256; fetch it again.") from error


def verify_files(folder: Path, expected: Mapping[str, str]) -> dict[str, str]:
    """Hash every file that ``expected`` or the folder's manifest names, and compare; returns name to digest.

    Blocking and as slow as the disk: call it off the event loop. Raises ``CheckpointInvalid`` naming the
    first file that differs or is missing, and weight files that a manifest does not list.
    """
    manifest = read_manifest(folder)
    wanted = {name: entry.sha256 for name, entry in manifest.items()} | dict(expected)
    for name, entry in manifest.items():
        _check_size(folder, name, entry.bytes)
    found = {name: _verified(folder, name, digest) for name, digest in sorted(wanted.items())}
    if wanted:
        _check_complete(folder, wanted)
    return found


def content_hash(folder: Path) -> str:
    """One digest of everything that a conversion depends on: names and contents, hex.

    Length-prefixed, so no two different folders share a key by shifting bytes between names.
    """
    names = sorted(path.name for path in folder.iterdir() if path.is_file() and path.suffix in _CONTENT_SUFFIXES)
    digest = hashlib.sha256()
    for name in names:
        encoded = name.encode()
        digest.update(len(encoded).to_bytes(8, "big") + encoded + bytes.fromhex(sha256_file(folder / name)))
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Hex digest of one file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def _verified(folder: Path, name: str, expected: str) -> str:
    digest = sha256_file(_member(folder, name))
    if digest != expected.lower():
        raise CheckpointInvalid(
            f"{name} does not match its expected sha256; fetch the file again or update the digest."
        )
    return digest


def _check_size(folder: Path, name: str, expected: int | None) -> None:
    if expected is not None and _member(folder, name).stat().st_size != expected:
        raise CheckpointInvalid(f"{name} does not have the size that {MANIFEST} gives; fetch the file again.")


def _check_complete(folder: Path, listed: Mapping[str, str]) -> None:
    for path in sorted(folder.iterdir()):
        if path.name.endswith(_WEIGHT_SUFFIXES) and path.name not in listed:
            raise CheckpointInvalid(
                f"{path.name} is a weight file without an expected sha256; add it or remove the file."
            )


def _member(folder: Path, name: str) -> Path:
    if Path(name).name != name:
        raise CheckpointUnsafe("An expected sha256 names a file outside the model folder; use plain file names.")
    path = folder / name
    if not path.is_file():
        raise CheckpointInvalid(f"{name} is missing, and an expected sha256 names it; fetch the file.")
    return path
