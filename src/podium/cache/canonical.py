"""One byte string for one value: two values share theirs only if they are the same.

Every part says its kind and either its length or its end, so no text can move from one part to the next.
Which fields a structure has is read from the structure: a new one is encoded without being mentioned, or,
where its type has no rule here, stops the program when it is imported.
"""

from __future__ import annotations

import struct
import types
from collections.abc import Callable
from typing import Any, Literal, TypeAlias, Union, get_args, get_origin

import msgspec

Put: TypeAlias = Callable[[bytes], None]
Writer: TypeAlias = Callable[[Any, Put], None]

_pack_float = struct.Struct(">d").pack
_NONE = b"N"
_UNSET: Any = object()


def text(value: str, put: Put) -> None:
    """A string; a lone surrogate is as good as any other character."""
    encoded = value.encode("utf-8", "surrogatepass")
    put(b"s%d:" % len(encoded))
    put(encoded)


def integer(value: int, put: Put) -> None:
    """An integer of any size; ``True`` is 1, as in Python."""
    put(b"i%x;" % value)


def number(value: float, put: Put) -> None:
    """A float: 1 is 1.0, and -0.0 is 0.0."""
    put(b"f" + _pack_float(value + 0.0))


def document(value: Any, put: Put) -> None:
    """JSON as a chat template may see it: 1 is not 1.0 nor true, and the order of members counts.

    Raises ``TypeError`` for what is no JSON.
    """
    kind = type(value)
    if kind is str:
        text(value, put)
    elif value is None:
        put(_NONE)
    elif kind is bool:
        _flag(value, put)
    elif kind is int:
        integer(value, put)
    elif kind is float:
        put(b"f" + _pack_float(value))
    elif kind is dict:
        put(b"d%d:" % len(value))
        for key, member in value.items():
            document(key, put)
            document(member, put)
    elif kind is list or kind is tuple:
        put(b"l%d:" % len(value))
        for item in value:
            document(item, put)
    else:
        msg = f"{kind.__name__} is no JSON"
        raise TypeError(msg)


def structure(kind: type[msgspec.Struct]) -> Writer:
    """A writer for ``kind``: its name, the names of its fields, and all their values.

    Raises ``TypeError`` for a field of a type without a rule.
    """
    fields = msgspec.structs.fields(kind)
    head = encoded(document, [kind.__name__, *(field.name for field in fields)])
    steps = [_step(field) for field in fields]

    def write(value: Any, put: Put) -> None:
        put(head)
        for (writer, default, shortcut), member in zip(steps, msgspec.structs.astuple(value), strict=True):
            if member is default:
                put(shortcut)
            else:
                writer(member, put)

    return write


def by_type(annotation: Any) -> Writer:
    """The writer for values of an annotated type. Raises ``TypeError`` where there is no rule."""
    if annotation in _PLAIN:
        return _PLAIN[annotation]
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return structure(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Literal and all(isinstance(value, str) for value in arguments):
        return text
    if origin in {types.UnionType, Union}:
        return _union(arguments)
    return _container(annotation, origin, arguments)


def encoded(writer: Writer, value: Any) -> bytes:
    """What ``writer`` writes for ``value``."""
    parts: list[bytes] = []
    writer(value, parts.append)
    return b"".join(parts)


def _flag(value: bool, put: Put) -> None:  # noqa: FBT001 - a writer like the others
    put(b"T" if value else b"F")


_PLAIN: dict[Any, Writer] = {str: text, int: integer, float: number, bool: _flag, Any: document}


def _step(field: msgspec.structs.FieldInfo) -> tuple[Writer, Any, bytes]:
    """The writer, and what it writes for the very object that is the default: most fields hold it."""
    writer = by_type(field.type)
    if field.default is msgspec.NODEFAULT:
        return writer, _UNSET, b""
    return writer, field.default, encoded(writer, field.default)


def _container(annotation: Any, origin: Any, arguments: tuple[Any, ...]) -> Writer:
    if origin is tuple and arguments[1:] == (...,):
        return _sequence(by_type(arguments[0]))
    if origin is dict and arguments[1] is Any:
        return document
    if origin is dict:
        return _sorted_mapping(by_type(arguments[0]), by_type(arguments[1]))
    msg = f"no rule says when two values of {annotation} are the same; write one in cache/canonical.py"
    raise TypeError(msg)


def _union(arguments: tuple[Any, ...]) -> Writer:
    """One type or none, or one of several structures: each writes its own name first."""
    members = [argument for argument in arguments if argument is not type(None)]
    if len(members) == 1:
        return _optional(by_type(members[0]))
    if len(members) < len(arguments) or not all(isinstance(member, type) for member in members):
        msg = f"no rule for a union of {arguments}; write one in cache/canonical.py"
        raise TypeError(msg)
    writers = {member: structure(member) for member in members}
    return lambda value, put: writers[type(value)](value, put)


def _optional(writer: Writer) -> Writer:
    def write(value: Any, put: Put) -> None:
        if value is None:
            put(_NONE)
        else:
            writer(value, put)

    return write


def _sequence(writer: Writer) -> Writer:
    def write(value: Any, put: Put) -> None:
        put(b"l%d:" % len(value))
        for item in value:
            writer(item, put)

    return write


def _sorted_mapping(key_writer: Writer, value_writer: Writer) -> Writer:
    def write(value: Any, put: Put) -> None:
        put(b"m%d:" % len(value))
        for key in sorted(value):
            key_writer(key, put)
            value_writer(value[key], put)

    return write
