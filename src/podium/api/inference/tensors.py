"""Tensors of a request to texts, and arrays to tensors of an answer."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

from podium.api.inference.signature import Signature
from podium.core.errors import InvalidRequest
from podium.core.tensors import Tensor, texts_of_raw
from podium.protocols.inference import InferInputGiven, InferOutput, InferOutputWanted

_BINARY_SIZE = "binary_data_size"


def texts_in(inputs: Sequence[InferInputGiven], raw: bytes, signature: Signature) -> dict[str, list[str]]:
    """The texts of each input. Raises InvalidRequest for tensors that are missing, unknown, or not what they say."""
    wanted = [tensor.name for tensor in signature.inputs]
    names = [one.name for one in inputs]
    if sorted(names) != sorted(wanted):
        listed = ", ".join(f"`{name}`" for name in wanted)
        raise InvalidRequest(f"`inputs` must be {listed}, once each, for this model.", param="inputs")
    found: dict[str, list[str]] = {}
    position = 0
    for number, one in enumerate(inputs):
        size = _binary_size(one, number)
        piece = None if size is None else raw[position : position + size]
        position += size or 0
        found[one.name] = _texts(one, f"inputs.{number}", piece, size)
    if position != len(raw):
        raise InvalidRequest(
            f"The inputs announce {position} bytes of binary data, and {len(raw)} came.", param="inputs"
        )
    return found


def _binary_size(given: InferInputGiven, number: int) -> int | None:
    size = (given.parameters or {}).get(_BINARY_SIZE)
    if size is not None and (type(size) is not int or size < 0):
        param = f"inputs.{number}.parameters.{_BINARY_SIZE}"
        raise InvalidRequest(f"`{param}` must be a number of bytes.", param=param)
    return size


def _texts(given: InferInputGiven, param: str, piece: bytes | None, size: int | None) -> list[str]:
    if given.datatype != "BYTES":
        raise InvalidRequest(f"`{param}.datatype` must be BYTES: models here take texts.", param=f"{param}.datatype")
    if (piece is None) == (given.data is None):
        raise InvalidRequest(f"`{param}` must have either `data` or `{_BINARY_SIZE}`.", param=param)
    if piece is None:
        texts = list(_flat(given.data, f"{param}.data"))
    elif len(piece) != size:
        raise InvalidRequest(f"`{param}`: {size} bytes are announced, and {len(piece)} came.", param=param)
    else:
        texts = texts_of_raw(piece, param)
    if any(dimension < 0 for dimension in given.shape) or math.prod(given.shape) != len(texts):
        raise InvalidRequest(f"`{param}.shape` does not fit: there are {len(texts)} elements.", param=f"{param}.shape")
    if not texts or not all(texts):
        raise InvalidRequest(f"`{param}` must hold at least one text, and no empty one.", param=param)
    return texts


def _flat(data: Any, param: str) -> Iterator[str]:
    for one in data:
        if isinstance(one, list):
            yield from _flat(one, param)
        elif isinstance(one, str):
            yield one
        else:
            raise InvalidRequest(f"`{param}` must hold texts, flat or nested.", param=param)


def encoded(
    tensors: Sequence[Tensor], wanted: Sequence[InferOutputWanted] | None, *, all_binary: bool
) -> tuple[list[InferOutput], bytes]:
    """The outputs that were asked for, and their binary data. Raises InvalidRequest for one that is not given."""
    by_name = {tensor.name: tensor for tensor in tensors}
    asked = [InferOutputWanted(name=name) for name in by_name] if wanted is None else wanted
    outputs: list[InferOutput] = []
    raws: list[bytes] = []
    for number, one in enumerate(asked):
        if one.name not in by_name:
            listed = ", ".join(f"`{name}`" for name in by_name)
            raise InvalidRequest(f"`outputs.{number}.name` must be one of {listed}.", param=f"outputs.{number}.name")
        tensor = by_name[one.name]
        binary = (one.parameters or {}).get("binary_data", all_binary) is True
        raw = tensor.raw() if binary else b""
        raws.append(raw)
        outputs.append(
            InferOutput(
                tensor.name,
                tensor.datatype,
                list(tensor.shape),
                None if binary else tensor.flat(),
                {_BINARY_SIZE: len(raw)} if binary else None,
            )
        )
    return outputs, b"".join(raws)
