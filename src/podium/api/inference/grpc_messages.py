"""The messages of ``inference.GRPCInferenceService``, described here and made at import.

From the protocol's published ``grpc_predict_v2.proto`` and Triton's ``grpc_service.proto``: numbers and types are
theirs, and messages that those files nest stand beside each other, which is the same on the wire. They live in a pool
of their own, so a program may also import somebody else's classes of the same names.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

PACKAGE = "inference"
_FILE = "podium/inference.proto"
_TENSOR = "1 name string|2 datatype string|3 shape int64*"
_PARAMETERS = "parameters map InferParameter"

# Fields as "number name type": `*` is repeated, `map` a map from string, `?` a member of the message's one oneof.
_MESSAGES = {
    "ServerLiveRequest": "",
    "ServerLiveResponse": "1 live bool",
    "ServerReadyRequest": "",
    "ServerReadyResponse": "1 ready bool",
    "ModelReadyRequest": "1 name string|2 version string",
    "ModelReadyResponse": "1 ready bool",
    "ServerMetadataRequest": "",
    "ServerMetadataResponse": "1 name string|2 version string|3 extensions string*",
    "ModelMetadataRequest": "1 name string|2 version string",
    "TensorMetadata": _TENSOR,
    "ModelMetadataResponse": "1 name string|2 versions string*|3 platform string|4 inputs TensorMetadata*"
    "|5 outputs TensorMetadata*",
    "InferParameter": "1 bool_param bool?|2 int64_param int64?|3 string_param string?|4 double_param double?"
    "|5 uint64_param uint64?",
    "InferTensorContents": "1 bool_contents bool*|2 int_contents int32*|3 int64_contents int64*|4 uint_contents uint32*"
    "|5 uint64_contents uint64*|6 fp32_contents float*|7 fp64_contents double*|8 bytes_contents bytes*",
    "InferInputTensor": f"{_TENSOR}|4 {_PARAMETERS}|5 contents InferTensorContents",
    "InferRequestedOutputTensor": f"1 name string|2 {_PARAMETERS}",
    "ModelInferRequest": f"1 model_name string|2 model_version string|3 id string|4 {_PARAMETERS}"
    "|5 inputs InferInputTensor*|6 outputs InferRequestedOutputTensor*|7 raw_input_contents bytes*",
    "InferOutputTensor": f"{_TENSOR}|4 {_PARAMETERS}|5 contents InferTensorContents",
    "ModelInferResponse": f"1 model_name string|2 model_version string|3 id string|4 {_PARAMETERS}"
    "|5 outputs InferOutputTensor*|6 raw_output_contents bytes*",
    "ModelStreamInferResponse": "1 error_message string|2 infer_response ModelInferResponse",
    "RepositoryIndexRequest": "1 repository_name string|2 ready bool",
    "ModelIndex": "1 name string|2 version string|3 state string|4 reason string",
    "RepositoryIndexResponse": "1 models ModelIndex*",
    "ModelRepositoryParameter": "1 bool_param bool?|2 int64_param int64?|3 string_param string?|4 bytes_param bytes?",
    "RepositoryModelLoadRequest": "1 repository_name string|2 model_name string"
    "|3 parameters map ModelRepositoryParameter",
    "RepositoryModelLoadResponse": "",
    "RepositoryModelUnloadRequest": "1 repository_name string|2 model_name string"
    "|3 parameters map ModelRepositoryParameter",
    "RepositoryModelUnloadResponse": "",
}
_Field = descriptor_pb2.FieldDescriptorProto


def _add(message: Any, words: list[str]) -> None:
    number, name, *kind = words
    field = message.field.add(name=name, number=int(number), label=_Field.LABEL_OPTIONAL)
    if kind[0] == "map":
        entry = message.nested_type.add(name=f"{name.capitalize()}Entry")
        entry.options.map_entry = True
        _add(entry, ["1", "key", "string"])
        _add(entry, ["2", "value", kind[1]])
        field.label = _Field.LABEL_REPEATED
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{message.name}.{entry.name}"
        return
    if kind[0].endswith("*"):
        field.label = _Field.LABEL_REPEATED
    if kind[0].endswith("?"):
        field.oneof_index = 0
        if not message.oneof_decl:
            message.oneof_decl.add(name="parameter_choice")
    plain = kind[0].rstrip("*?")
    if plain in _MESSAGES:
        field.type, field.type_name = _Field.TYPE_MESSAGE, f".{PACKAGE}.{plain}"
    else:
        field.type = getattr(_Field, f"TYPE_{plain.upper()}")


def _classes() -> dict[str, Any]:
    described = descriptor_pb2.FileDescriptorProto(name=_FILE, package=PACKAGE, syntax="proto3")
    for name, fields in _MESSAGES.items():
        message = described.message_type.add(name=name)
        for field in filter(None, fields.split("|")):
            _add(message, field.split())
    pool = descriptor_pool.DescriptorPool()
    pool.Add(described)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{PACKAGE}.{name}")) for name in _MESSAGES
    }


MESSAGES: dict[str, Any] = _classes()
"""Message classes by name."""
