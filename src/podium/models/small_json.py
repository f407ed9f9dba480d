"""The small JSON files of a model folder, which come from strangers."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import msgspec

from podium.core.errors import CheckpointInvalid

T = TypeVar("T")

_MAX_BYTES = 64 * 1024**2


def read_json(folder: Path, name: str, kind: type[T], *, hint: str = "fetch the checkpoint again.") -> T:
    """The content of a file as ``kind``. Raises ``CheckpointInvalid``; ``hint`` ends the message of a missing one."""
    path = folder / name
    if not path.is_file():
        raise CheckpointInvalid(f"{name} is missing; {hint}")
    if path.stat().st_size > _MAX_BYTES:
        raise CheckpointInvalid(f"{name} is larger than {_MAX_BYTES // 1024**2} MiB; use the original file.")
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CheckpointInvalid(f"{name} is not valid JSON; fetch the file again.") from error
