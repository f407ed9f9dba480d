"""Tools of a request in the core's terms, and calls of an answer put together; the same for every dialect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from podium.api.strict_json import MAX_TEXT_DEPTH, is_too_deep
from podium.core.errors import EngineError, InvalidRequest
from podium.core.generation import Constraint, ToolCallDelta, ToolChoice
from podium.protocols.tools import FunctionTool, NamedToolChoice, ToolChoiceMember

Tool = dict[str, Any]


def function_tool(name: str, description: str | None, parameters: dict[str, Any] | None) -> Tool:
    """A tool as chat templates know it."""
    function: dict[str, Any] = {"name": name}
    if description is not None:
        function["description"] = description
    if parameters is not None:
        function["parameters"] = parameters
    return {"type": "function", "function": function}


def tools_of(given: Sequence[FunctionTool] | None) -> tuple[Tool, ...]:
    """Tools in OpenAI's shape."""
    return tuple(
        function_tool(one.function.name, one.function.description, one.function.parameters) for one in given or ()
    )


def chosen(
    tools: tuple[Tool, ...], choice: ToolChoiceMember | None, *, parallel: bool | None, grammar_bytes: int
) -> tuple[tuple[Tool, ...], ToolChoice]:
    """The tools that the model sees and what it may do with them. Raises as ``check_tools`` does."""
    name = choice.function.name if isinstance(choice, NamedToolChoice) else None
    if choice == "none":
        return (), ToolChoice()
    found = ToolChoice(required=choice == "required", name=name, parallel=parallel is not False)
    check_tools(tools, found, grammar_bytes=grammar_bytes)
    return tools, found


def check_tools(tools: tuple[Tool, ...], choice: ToolChoice, *, grammar_bytes: int) -> None:
    """Raises InvalidRequest for two tools of one name, and for a forced call of none, or of too large ones."""
    names = [tool["function"]["name"] for tool in tools]
    if len(set(names)) < len(names):
        raise InvalidRequest("`tools` must not hold two tools of the same name.", param="tools")
    if choice.required and not tools:
        raise InvalidRequest("`tool_choice` forces a call and there are no `tools`.", param="tool_choice")
    if choice.name is not None and choice.name not in names:
        raise InvalidRequest("`tool_choice` names a tool that is not among `tools`.", param="tool_choice")
    forced = choice.required or choice.name is not None
    if forced and len(msgspec.json.encode(tools)) > grammar_bytes:
        raise InvalidRequest(
            f"`tools` are too large to force a call of one: at most {grammar_bytes} bytes. Use `tool_choice: auto`.",
            param="tools",
        )


def refuse_format_with_tools(tools: tuple[Tool, ...], constraint: Constraint | None, *, param: str) -> None:
    """Raises InvalidRequest where the whole answer is held to a format, which leaves no place for a call."""
    if tools and constraint is not None:
        raise InvalidRequest(
            f"`{param}` holds the whole answer to a format, so no tool could be called. Leave one of `{param}` and "
            "`tools` out, or send `tool_choice: none`.",
            param=param,
        )


def arguments_given(text: str, param: str) -> dict[str, Any]:
    """The arguments of an earlier call. Raises InvalidRequest unless they are a JSON object."""
    try:
        found = None if is_too_deep(text) else msgspec.json.decode(text or "{}")
    except (msgspec.DecodeError, UnicodeEncodeError):
        found = None
    if not isinstance(found, dict):
        raise InvalidRequest(
            f"`{param}` must be a JSON object, written as a string, of at most {MAX_TEXT_DEPTH} levels.", param=param
        )
    return found


def earlier_call(call_id: str, name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """A call that was made before, as chat templates know it."""
    return {"id": call_id, "type": "function", "function": {"name": name, "arguments": arguments}}


@dataclass(slots=True)
class Call:
    """A call of an answer; ``arguments`` is JSON text, whole once the call has ended."""

    name: str
    arguments: str = ""

    @property
    def is_whole(self) -> bool:
        """Whether the arguments are JSON, and not cut."""
        try:
            msgspec.json.decode(self.arguments)
        except (msgspec.DecodeError, UnicodeEncodeError):
            return False
        return True

    def arguments_object(self) -> dict[str, Any]:
        """The arguments. Raises EngineError where the model wrote something else than a JSON object."""
        try:
            found = msgspec.json.decode(self.arguments)
        except (msgspec.DecodeError, UnicodeEncodeError):
            found = None
        if not isinstance(found, dict):
            raise EngineError("The model called a tool with arguments that are no JSON object. Try again.")
        return found


def collect(calls: list[Call], deltas: Sequence[ToolCallDelta]) -> None:
    """Add pieces to ``calls``."""
    for delta in deltas:
        if delta.name is not None:
            calls.append(Call(delta.name))
        calls[delta.index].arguments += delta.arguments


def whole_calls(calls: Sequence[Call], finish_reason: str | None) -> Sequence[Call]:
    """Calls for a dialect that takes arguments as objects: without the last one where the token limit cut it."""
    cut = finish_reason == "length" and bool(calls) and not calls[-1].is_whole
    return calls[:-1] if cut else calls
