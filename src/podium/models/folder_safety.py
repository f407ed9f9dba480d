"""Refuses what could run code or leave the model folder. Nothing here opens a weight file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from podium.core.errors import CheckpointUnsafe

_PICKLES = frozenset({".pt", ".pth", ".pkl", ".pickle", ".ckpt", ".bin"})


def check_links(folder: Path) -> None:
    """Raise ``CheckpointUnsafe`` for a symbolic link that leaves the folder.

    A snapshot in the Hugging Face cache links to the blobs of its own repository; those are allowed.
    """
    allowed = [folder.resolve(), *_blob_store(folder.resolve())]
    for path in sorted(folder.rglob("*")):
        if path.is_symlink() and not any(path.resolve().is_relative_to(root) for root in allowed):
            raise CheckpointUnsafe(f"{path.name} is a link that leaves the model folder; copy the file instead.")


def check_no_pickles(folder: Path) -> None:
    """Raise ``CheckpointUnsafe`` when the weights are pickled. Pickles beside safetensors are never read."""
    if any(folder.glob("*.safetensors")):
        return
    pickled = sorted(path.name for path in folder.iterdir() if path.suffix in _PICKLES)
    if pickled:
        raise CheckpointUnsafe(
            f"The weights are pickled ({pickled[0]}), and loading a pickle can run any code; "
            "save them as safetensors on a machine that trusts them: model.save_pretrained(folder)."
        )


def check_no_code(configs: Mapping[str, Mapping[str, Any]]) -> None:
    """Raise ``CheckpointUnsafe`` when a configuration asks for Python code of the checkpoint (``auto_map``)."""
    for name, config in configs.items():
        if "auto_map" in config:
            raise CheckpointUnsafe(
                f"{name} asks to run Python code that comes with the checkpoint (auto_map); "
                "set trust_remote_code for this model if you wrote or read that code."
            )


def _blob_store(folder: Path) -> list[Path]:
    """``…/models--owner--name/blobs`` for a folder ``…/models--owner--name/snapshots/<revision>``."""
    repository = folder.parent.parent
    if folder.parent.name == "snapshots" and repository.name.startswith("models--"):
        return [(repository / "blobs").resolve()]
    return []
