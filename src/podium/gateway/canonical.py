"""Equal messages as equal bytes, in every process.

Protocol buffers write a map in any order unless told otherwise, and an ``Any`` holds bytes that were written before
anybody could tell. A listener whose bytes differ is another listener to Envoy, which would drain the one before.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pool, message_factory
from google.protobuf.any_pb2 import Any as Packed
from google.protobuf.descriptor import FieldDescriptor


def pack(message: Any) -> Packed:
    """``message`` in an ``Any``, whose bytes depend on the content alone. Changes what is packed inside ``message``."""
    _write_inner_anew(message)
    packed = Packed()
    packed.Pack(message, deterministic=True)
    return packed


def _write_inner_anew(message: Any) -> None:
    for inner in _messages_in(message):
        if isinstance(inner, Packed):
            content = _unpacked(inner)
            _write_inner_anew(content)
            inner.value = content.SerializeToString(deterministic=True)
        else:
            _write_inner_anew(inner)


def _messages_in(message: Any) -> Iterator[Any]:
    for field, value in message.ListFields():
        if field.type != FieldDescriptor.TYPE_MESSAGE:
            continue
        if field.message_type.GetOptions().map_entry:
            if field.message_type.fields_by_name["value"].type == FieldDescriptor.TYPE_MESSAGE:
                yield from value.values()
        elif field.is_repeated:
            yield from value
        else:
            yield value


def _unpacked(packed: Packed) -> Any:
    content = message_factory.GetMessageClass(descriptor_pool.Default().FindMessageTypeByName(packed.TypeName()))()
    packed.Unpack(content)
    return content
