"""What a turn of Anthropic's API is made of: text, calls of tools, and their results."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

_TEXT_ONLY = "must be a string or a list of text blocks: this server takes text only"
_BLOCKS_ONLY = "must be a string or a list of blocks of the types text, tool_use and tool_result"


@dataclass(frozen=True, slots=True)
class ToolUseGiven:
    """A call that the assistant made."""

    id: str
    name: str
    input: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ToolResultGiven:
    """What a call gave."""

    tool_use_id: str
    text: str
    is_error: bool


Block = str | ToolUseGiven | ToolResultGiven


def _text(value: Any) -> str:
    """A string, or the texts of blocks one after the other."""
    if isinstance(value, str):
        return value
    if type(value) is not list:
        raise ValueError(_TEXT_ONLY)
    return "".join(map(_block_text, value))


def _block_text(block: Any) -> str:
    if type(block) is not dict or block.get("type") != "text" or not isinstance(block.get("text"), str):
        raise ValueError(_TEXT_ONLY)
    text: str = block["text"]
    return text


def _blocks(value: Any) -> tuple[Block, ...]:
    if isinstance(value, str):
        return (value,)
    if type(value) is not list:
        raise ValueError(_BLOCKS_ONLY)
    return tuple(map(_block, value))


def _block(block: Any) -> Block:
    kind = block.get("type") if type(block) is dict else None
    if kind == "tool_use":
        return _tool_use(block)
    if kind == "tool_result":
        return _tool_result(block)
    if kind != "text":
        raise ValueError(_BLOCKS_ONLY)
    return _block_text(block)


def _tool_use(block: dict[str, Any]) -> ToolUseGiven:
    call_id, name, given = block.get("id"), block.get("name"), block.get("input")
    if not (isinstance(call_id, str) and isinstance(name, str) and call_id and name and type(given) is dict):
        raise ValueError("must have `id`, `name` and an object `input` in each block of the type tool_use")
    return ToolUseGiven(call_id, name, given)


def _tool_result(block: dict[str, Any]) -> ToolResultGiven:
    call_id, is_error = block.get("tool_use_id"), block.get("is_error")
    if not (isinstance(call_id, str) and call_id and (is_error is None or type(is_error) is bool)):
        raise ValueError(
            "must have `tool_use_id` in each block of the type tool_result, and a boolean `is_error` if any"
        )
    content = block.get("content")
    return ToolResultGiven(call_id, "" if content is None else _text(content), is_error is True)


def _schema_of(kind: str, required: list[str], **properties: Any) -> dict[str, Any]:
    return {"type": "object", "required": ["type", *required], "properties": {"type": {"const": kind}, **properties}}


_STRING = {"type": "string"}
_TEXT_BLOCK = _schema_of("text", ["text"], text=_STRING)
_TEXT_SCHEMA = {"anyOf": [_STRING, {"type": "array", "items": _TEXT_BLOCK}]}
_USE = _schema_of("tool_use", ["id", "name", "input"], id=_STRING, name=_STRING, input={"type": "object"})
_RESULT = _schema_of(
    "tool_result", ["tool_use_id"], tool_use_id=_STRING, content=_TEXT_SCHEMA, is_error={"type": "boolean"}
)
_CONTENT_SCHEMA = {"anyOf": [_STRING, {"type": "array", "items": {"anyOf": [_TEXT_BLOCK, _USE, _RESULT]}}]}

Text = Annotated[str, PlainValidator(_text), WithJsonSchema(_TEXT_SCHEMA)]
Content = Annotated[tuple[Block, ...], PlainValidator(_blocks), WithJsonSchema(_CONTENT_SCHEMA)]
