"""The grammar of an answer that must be a call: a list of calls, each with arguments that its tool allows.

A list also where the model's own format is another: every engine that constrains its output knows JSON schemas,
and not every one knows more.
"""

from __future__ import annotations

from typing import Any

import msgspec

from podium.core.generation import ChatPrompt, Constraint
from podium.engine.tool_calls.format import ToolFormat, arguments_member

_ANY_ARGUMENTS: dict[str, Any] = {"type": "object"}


def call_constraint(prompt: ChatPrompt, kind: ToolFormat) -> Constraint:
    """One call or more of the tools that may be called; exactly one where ``tool_choice`` says so."""
    functions = [tool["function"] for tool in prompt.tools]
    chosen = prompt.tool_choice.name
    calls, definitions = [], {}
    for number, function in enumerate(functions):
        if chosen in (None, function["name"]):
            place = f"tool{number}"
            definitions[place] = _moved(function.get("parameters") or _ANY_ARGUMENTS, f"#/$defs/{place}")
            calls.append(_call(function["name"], arguments_member(kind), place))
    schema: dict[str, Any] = {
        "type": "array",
        "minItems": 1,
        "items": calls[0] if len(calls) == 1 else {"anyOf": calls},
    }
    if prompt.tool_choice.single:
        schema["maxItems"] = 1
    return Constraint("json_schema", msgspec.json.encode(schema | {"$defs": definitions}).decode())


def _call(name: str, member: str, place: str) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"name": {"const": name}, member: {"$ref": f"#/$defs/{place}"}},
        "required": ["name", member],
        "additionalProperties": False,
    }


def _moved(schema: Any, place: str) -> Any:
    """``schema`` with its references to itself as they are when it stands at ``place``."""
    if isinstance(schema, list):
        return [_moved(one, place) for one in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        name: place + value[1:]
        if name == "$ref" and isinstance(value, str) and value.startswith("#")
        else _moved(value, place)
        for name, value in schema.items()
    }
