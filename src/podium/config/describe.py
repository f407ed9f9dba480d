"""The settings tree as rows: what can be set, and what is set. Feeds ``podium config show`` and the reference page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import annotated_types
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from podium.config.frozen import Group

MASK = "***"
ENVIRONMENT_PREFIX = "PODIUM__"

_SECRET_WORDS = {"key", "keys", "secret", "secrets", "token", "password", "credential", "credentials"}
_NOT_SECRET_ENDINGS = ("_file", "_path")  # where a secret is kept is no secret
_PLAIN_TYPES = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true or false",
    Any: "anything",
    SecretStr: "text (secret)",
}
_BOUND_SIGNS = {annotated_types.Ge: ">=", annotated_types.Gt: ">", annotated_types.Le: "<=", annotated_types.Lt: "<"}
_WORD_START = re.compile(r"(?<=[a-z])(?=[A-Z])")
_USER_INFO = re.compile(r"://[^/@\s]+@")


@dataclass(frozen=True)
class Row:
    """One setting. ``path`` is dotted, ``[]`` marks a list's entries, ``{}`` a mapping's, ``<kind>`` a variant.

    ``environment`` is None inside a list or mapping: they are given whole. ``default`` None means required.
    """

    path: str
    type: str
    default: str | None
    environment: str | None
    bounds: str
    description: str


def rows(group: type[Group], prefix: str = "") -> list[Row]:
    """Every setting below ``group``, in the order of declaration."""
    return [row for name, info in group.model_fields.items() for row in _field_rows(f"{prefix}{name}", info)]


def _field_rows(path: str, info: FieldInfo) -> Iterator[Row]:
    nested = groups_of(info.annotation)
    container = get_origin(info.annotation)
    marks = "[]" if container in {tuple, list} else "{}" if container is dict else ""
    if not nested:
        yield _row(path, info)
    elif marks:
        yield _row(path, info)
        yield from rows(nested[0], f"{path}{marks}.")
    elif len(nested) == 1:
        if info.annotation is not nested[0]:  # a group or none: whether there is one is a setting of its own
            yield _row(path, info)
        yield from rows(nested[0], f"{path}.")
    else:
        yield _row(path, info)
        for variant in nested:
            kept = [row for row in rows(variant, f"{path}<{kind_of(variant)}>.") if not row.path.endswith(">.kind")]
            yield from kept


def _row(path: str, info: FieldInfo) -> Row:
    given_whole = any(mark in path for mark in ("[]", "{}", "<"))
    return Row(
        path=path,
        type=type_text(info.annotation),
        default=_default_text(info),
        environment=None if given_whole else environment_name(path),
        bounds=_bounds(info),
        description=info.description or "",
    )


def environment_name(path: str) -> str:
    """The environment variable of a dotted path."""
    return ENVIRONMENT_PREFIX + path.replace(".", "__").upper()


def groups_of(annotation: Any) -> list[type[Group]]:
    """The groups that an annotation holds: itself, a list's or mapping's entries, or the variants of a union."""
    if isinstance(annotation, type) and issubclass(annotation, Group):
        return [annotation]
    if get_origin(annotation) in {Union, UnionType, Annotated, tuple, list, dict}:
        return [group for part in get_args(annotation) for group in groups_of(part)]
    return []


def is_mapping_of_groups(annotation: Any) -> bool:
    """Whether an annotation is a mapping from names that people choose to groups."""
    return get_origin(annotation) is dict and bool(groups_of(annotation))


def kind_of(variant: type[Group]) -> str:
    """The ``kind`` that selects a variant."""
    return str(get_args(variant.model_fields["kind"].annotation)[0])


def type_text(annotation: Any) -> str:
    """A type in words that a person who writes YAML knows."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_text(parts[0])
    if origin is Literal:
        return " | ".join(f"`{part}`" for part in parts)
    if origin in {Union, UnionType}:
        return _union_text(parts)
    return _container_text(origin, parts) if origin else _named_text(annotation)


def _container_text(origin: Any, parts: tuple[Any, ...]) -> str:
    if origin is dict:
        return f"mapping of {type_text(parts[0])} to {type_text(parts[1])}"
    return f"list of {type_text(parts[0])}"


def _union_text(parts: tuple[Any, ...]) -> str:
    words = [type_text(part) for part in parts if part is not NoneType]
    if all(isinstance(part, type) and issubclass(part, Group) for part in parts):
        return " | ".join(f"`{kind_of(part)}`" for part in parts)
    return " or ".join([*words, "none"] if NoneType in parts else words)


def _named_text(annotation: Any) -> str:
    if annotation in _PLAIN_TYPES:
        return _PLAIN_TYPES[annotation]
    return _WORD_START.sub(" ", str(getattr(annotation, "__name__", annotation))).lower()


def _default_text(info: FieldInfo) -> str | None:
    if info.is_required():
        return None
    value = info.get_default(call_default_factory=True, validated_data={})
    return None if value is PydanticUndefined else value_text(_plain(value))


def _bounds(info: FieldInfo) -> str:
    found = []
    for item in info.metadata:
        for kind, sign in _BOUND_SIGNS.items():
            if isinstance(item, kind):
                limit = getattr(item, kind.__name__.lower())
                found.append(f"{sign} {limit}")
    return ", ".join(found)


def _plain(value: Any) -> Any:
    if isinstance(value, Group):
        given = value.model_dump(exclude_unset=True)
        return given or getattr(value, "kind", {})
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value


def value_text(value: Any) -> str:
    """A value as one would write it in YAML, on one line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{key}: {value_text(item)}" for key, item in value.items()) + "}"
    if isinstance(value, tuple | list):
        return "[" + ", ".join(value_text(item) for item in value) + "]"
    return '""' if value == "" else str(value)


def leaves(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """Every value below ``value`` with its path; empty lists and mappings count as values."""
    if isinstance(value, Group):
        for name in type(value).model_fields:
            yield from leaves(getattr(value, name), (*path, name))
    elif isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*path, str(key)))
    elif isinstance(value, tuple | list) and value:
        for index, item in enumerate(value):
            yield from leaves(item, (*path, index))
    else:
        yield path, value


def masked(path: tuple[str | int, ...], value: Any) -> Any:
    """``value``, or ``***`` where the path's name or the type says that it is a secret.

    Only texts are secrets (a count of tokens is none); credentials inside an address are cut out.
    """
    if isinstance(value, SecretStr):
        return MASK
    if not isinstance(value, str) or not value:
        return value
    if any(_is_secret_name(part) for part in path if isinstance(part, str)):
        return MASK
    return _USER_INFO.sub(f"://{MASK}@", value)


def _is_secret_name(name: str) -> bool:
    return bool(_SECRET_WORDS & set(name.lower().split("_"))) and not name.endswith(_NOT_SECRET_ENDINGS)
