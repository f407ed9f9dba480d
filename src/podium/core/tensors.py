"""Named arrays with a datatype, as the Open Inference Protocol moves them."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from podium.core.errors import InvalidRequest

Datatype = Literal["FP32", "BYTES"]
"""The datatypes that models here take or give; the protocol has more."""

_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Tensor:
    """Row by row: ``data`` is float32 of ``shape``, or for BYTES as many texts as ``shape`` has elements."""

    name: str
    datatype: Datatype
    shape: tuple[int, ...]
    data: NDArray[np.float32] | Sequence[str]

    def raw(self) -> bytes:
        """The protocol's binary form: little-endian numbers, or each text after its length in bytes (uint32)."""
        if isinstance(self.data, np.ndarray):
            return np.ascontiguousarray(self.data, dtype="<f4").tobytes()
        encoded = [text.encode() for text in self.data]
        return b"".join(_LENGTH.pack(len(one)) + one for one in encoded)

    def flat(self) -> list[float | str]:
        """The protocol's JSON form."""
        return list(self.data.ravel().tolist() if isinstance(self.data, np.ndarray) else self.data)


def texts_of_raw(raw: bytes, param: str) -> list[str]:
    """The elements of a BYTES tensor in binary form. Raises InvalidRequest for lengths that do not fit, or no UTF-8."""
    found: list[str] = []
    position = 0
    while position < len(raw):
        start = position + _LENGTH.size
        if start > len(raw):
            raise _torn(param)
        (length,) = _LENGTH.unpack_from(raw, position)
        position = start + length
        if position > len(raw):
            raise _torn(param)
        try:
            found.append(raw[start:position].decode())
        except UnicodeDecodeError:
            raise InvalidRequest(f"`{param}` holds bytes that are no UTF-8 text.", param=param) from None
    return found


def _torn(param: str) -> InvalidRequest:
    return InvalidRequest(
        f"`{param}`: each element of BYTES is its length (uint32, little endian), then as many bytes.", param=param
    )
