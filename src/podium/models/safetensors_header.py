"""Reads and checks the header of a safetensors file without loading a tensor.

Format: 8 bytes little-endian header length, that many bytes of JSON, then the tensors' bytes. Each
tensor has ``dtype``, ``shape`` and ``data_offsets`` into the last part. Source: the format section of
the safetensors README, version 0.5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import msgspec

from podium.core.errors import CheckpointInvalid

_LENGTH_BYTES = 8
_MAX_HEADER_BYTES = 100_000_000  # the reference implementation's own bound

_BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "U16": 16, "I16": 16, "U32": 32, "I32": 32, "U64": 64, "I64": 64,
    "F16": 16, "BF16": 16, "F32": 32, "F64": 64, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "C64": 64,
}  # fmt: skip


class Tensor(msgspec.Struct, frozen=True):
    """One entry of a header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]

    @property
    def elements(self) -> int:
        """Number of values."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """Tensors of one file by name, and the bytes of their data."""

    tensors: dict[str, Tensor]
    data_bytes: int


def read_header(path: Path) -> Header:
    """The checked header of ``path``. Raises ``CheckpointInvalid``, naming the file and what is wrong."""
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
        if size < _LENGTH_BYTES or not 2 <= length <= min(_MAX_HEADER_BYTES, size - _LENGTH_BYTES):
            raise _damaged(path, "its header is cut off or not a header")
        encoded = file.read(length)
    tensors = _decode(path, encoded)
    data_bytes = size - _LENGTH_BYTES - length
    _check_layout(path, tensors, data_bytes)
    return Header(tensors, data_bytes)


def _decode(path: Path, encoded: bytes) -> dict[str, Tensor]:
    try:
        raw = msgspec.json.decode(encoded, type=dict[str, msgspec.Raw])
        raw.pop("__metadata__", None)
        return {name: msgspec.json.decode(entry, type=Tensor) for name, entry in raw.items()}
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(path, "its header is not valid JSON of the format") from error


def _check_layout(path: Path, tensors: dict[str, Tensor], data_bytes: int) -> None:
    """Every tensor has the bytes that its type and shape need, inside the file, without gap or overlap."""
    end = 0
    for tensor in sorted(tensors.values(), key=lambda entry: entry.data_offsets):
        bits = _BITS.get(tensor.dtype)
        if bits is None:
            raise _damaged(path, "it holds a tensor type that the format does not have")
        first, last = tensor.data_offsets
        if first != end or any(length < 0 for length in tensor.shape) or (last - first) * 8 != tensor.elements * bits:
            raise _damaged(path, "its tensors overlap, leave gaps, or do not have the size of their shape")
        end = last
    if end != data_bytes:
        missing = "it ends before its last tensor" if end > data_bytes else "it goes on after its last tensor"
        raise _damaged(path, missing)


def _damaged(path: Path, what: str) -> CheckpointInvalid:
    return CheckpointInvalid(f"{path.name} is damaged: {what}; fetch the file again.")
