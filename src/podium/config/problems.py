"""What is wrong with a configuration, in sentences: path, what was given, what is allowed, where it stands."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from podium.config.describe import groups_of, is_mapping_of_groups, kind_of, masked, rows, value_text
from podium.config.frozen import Group
from podium.config.nearest import nearest_path, nearest_word
from podium.config.origin import Origin, Steps, path_text

_LONGEST_VALUE = 60  # characters of a wrong value that a message repeats
_LIST_NEEDED, _MAPPING_NEEDED = "should be a list", "should be a mapping"
_PLAIN_MESSAGES = {
    "missing": "is missing",
    "tuple_type": _LIST_NEEDED,
    "list_type": _LIST_NEEDED,
    "dict_type": _MAPPING_NEEDED,
    "model_type": _MAPPING_NEEDED,
    "model_attributes_type": _MAPPING_NEEDED,
    "string_type": "should be a text; put it in quotes",
    "int_type": "should be a whole number",
    "float_type": "should be a number",
    "bool_type": "should be true or false",
}


def explain(error: ValidationError, root: type[Group], origins: Mapping[Steps, Origin]) -> list[str]:
    """One line for each thing that is wrong, in the order of the settings tree."""
    return [_line(detail, root, origins) for detail in error.errors(include_url=False)]


def _line(detail: ErrorDetails, root: type[Group], origins: Mapping[Steps, Origin]) -> str:
    path, parent = _trace(detail["loc"], root)
    origin = _origin(path, origins)
    where = f"{origin.where}: " if origin and origin.kind != "flag" else ""
    return f"{where}{path_text(path) or 'settings'}: {_sentence(detail, path, parent, root)}"


def _trace(loc: Steps, root: type[Group]) -> tuple[Steps, type[Group]]:
    """The path that a person wrote (pydantic adds the kinds of variants), and the innermost group on it."""
    path: list[str | int] = []
    group, below, named_entries = root, [root], False
    for step in loc:
        kinds = {kind_of(variant): variant for variant in below} if len(below) > 1 else {}
        if step in kinds:
            below = [kinds[str(step)]]
            continue
        path.append(step)
        if named_entries:  # the name of an entry, which is no setting
            named_entries = False
        elif isinstance(step, str) and len(below) == 1:
            group = below[0]
            info = group.model_fields.get(step)
            below = groups_of(info.annotation) if info else []
            named_entries = info is not None and is_mapping_of_groups(info.annotation)
    return tuple(path), group


def _origin(path: Steps, origins: Mapping[Steps, Origin]) -> Origin | None:
    """The origin of a value, of something in it, or of what holds it."""
    inside = [origin for known, origin in origins.items() if known[: len(path)] == path]
    if inside and path:
        return inside[0]
    return _origin(path[:-1], origins) if path else None


def _sentence(detail: ErrorDetails, path: Steps, parent: type[Group], root: type[Group]) -> str:
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "extra_forbidden":
        return _unknown_key(path, parent, root)
    if kind in {"union_tag_invalid", "union_tag_not_found"}:
        return _unknown_kind(str(context.get("tag", "")), path, parent)
    if kind == "value_error":
        return f"{_given(detail, path)}{context['error']}"
    message = _PLAIN_MESSAGES.get(kind) or detail["msg"].removeprefix("Input ")
    return message if kind == "missing" else f"{_given(detail, path)}{message}"


def _given(detail: ErrorDetails, path: Steps) -> str:
    value = detail["input"]
    if isinstance(value, dict | list | Group):
        return ""
    text = value_text(masked(path, value))
    return f"{text if len(text) <= _LONGEST_VALUE else text[:_LONGEST_VALUE] + '…'} was given; "


def _unknown_key(path: Steps, parent: type[Group], root: type[Group]) -> str:
    siblings = {path_text((*path[:-1], name)): name for name in parent.model_fields}
    elsewhere = [row.path for row in rows(root) if row.environment]
    meant = nearest_path(path_text(path), [*siblings, *elsewhere])
    hint = f"; did you mean {meant}?" if meant else ""
    return f"unknown key{hint} Known here: {', '.join(siblings.values())}"


def _unknown_kind(tag: str, path: Steps, parent: type[Group]) -> str:
    info = parent.model_fields[str(path[-1])]
    kinds = [kind_of(variant) for variant in groups_of(info.annotation)]
    meant = nearest_word(tag, kinds)
    said = f"{tag} is no kind of {path[-1]}" if tag else "the member `kind` is missing"
    hint = f"; did you mean {meant}?" if meant else ";"
    return f"{said}{hint} Allowed: {', '.join(kinds)}"
