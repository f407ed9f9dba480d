"""Between the gRPC service's messages and the bodies of the same protocol over HTTP. Pure functions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from podium.api.in_process import LocalAnswer
from podium.api.inference.body import JSON_LENGTH
from podium.api.inference.grpc_messages import MESSAGES
from podium.core.errors import InvalidRequest


def infer_body(message: Any) -> tuple[bytes, bytes]:
    """The JSON of an inference, and the raw tensors after it. Raises InvalidRequest where both forms are mixed."""
    raws = list(message.raw_input_contents)
    if raws and (len(raws) != len(message.inputs) or any(one.HasField("contents") for one in message.inputs)):
        raise InvalidRequest(
            "`raw_input_contents` must hold the data of every input, or `contents` of each input its own.",
            param="raw_input_contents",
        )
    inputs = [_input(one, raws[number] if raws else None) for number, one in enumerate(message.inputs)]
    body: dict[str, Any] = {
        "inputs": inputs,
        "parameters": {**parameters_in(message.parameters), "binary_data_output": True},
    }
    if message.id:
        body["id"] = message.id
    if message.outputs:
        body["outputs"] = [{"name": one.name} for one in message.outputs]
    return msgspec.json.encode(body), b"".join(raws)


def _input(given: Any, raw: bytes | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": given.name, "datatype": given.datatype, "shape": list(given.shape)}
    if raw is not None:
        return found | {"parameters": {"binary_data_size": len(raw)}}
    try:
        return found | {"data": [one.decode() for one in given.contents.bytes_contents]}
    except UnicodeDecodeError:
        raise InvalidRequest("`contents` holds bytes that are no UTF-8 text.", param="inputs") from None


def parameters_in(given: Mapping[str, Any]) -> dict[str, Any]:
    """Parameters of a message by name."""
    return {name: value for name, one in given.items() if (value := _value(one)) is not None}


def _value(given: Any) -> Any:
    chosen = given.WhichOneof("parameter_choice")
    return None if chosen is None else getattr(given, chosen)


def infer_message(answer: LocalAnswer) -> Any:
    """The answer of an inference; every output is raw."""
    length = int(answer.headers[JSON_LENGTH])
    head = msgspec.json.decode(answer.body[:length])
    message = MESSAGES["ModelInferResponse"](
        model_name=head["model_name"], model_version=head["model_version"], id=head.get("id", "")
    )
    position = length
    for output in head["outputs"]:
        size = output["parameters"]["binary_data_size"]
        message.outputs.add(name=output["name"], datatype=output["datatype"], shape=output["shape"])
        message.raw_output_contents.append(answer.body[position : position + size])
        position += size
    return message


def repository_body(message: Any) -> bytes:
    """The body of a load or an unload."""
    parameters = {name: _plain(_value(one)) for name, one in message.parameters.items()}
    return msgspec.json.encode({"parameters": parameters})


def _plain(value: Any) -> Any:
    return value.hex() if isinstance(value, bytes) else value


def model_path(name: str, version: str) -> str:
    """The path of a model."""
    return f"/v2/models/{name}/versions/{version}" if version else f"/v2/models/{name}"
