"""OpenAI's responses to generation requests, and answers to their items. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from podium.api.answering import Choice
from podium.api.sampling import json_constraint, sampling_params
from podium.api.tools import (
    Tool,
    arguments_given,
    check_tools,
    earlier_call,
    function_tool,
    refuse_format_with_tools,
)
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.generation import ChatPrompt, Constraint, Message, SamplingParams, ToolChoice
from podium.core.ids import new_id
from podium.protocols.responses import (
    FlatToolChoice,
    FunctionCallItem,
    FunctionOutputItem,
    InputItem,
    ResponseObject,
    ResponsesRequest,
    TextSettings,
)

# Nothing is kept between requests, nothing runs in the background, nothing reasons apart from its answer.
_REFUSED = ("previous_response_id", "conversation", "prompt", "background", "include", "top_logprobs")


def chat_prompt(body: ResponsesRequest, limits: RequestLimits) -> ChatPrompt:
    """The conversation and its tools. Raises UnsupportedParameter for what would change the answer unseen."""
    _refuse_what_is_not_done(body)
    opening = [Message("system", body.instructions)] if body.instructions else []
    turns = [Message("user", body.input)] if isinstance(body.input, str) else list(messages(body.input))
    tools, choice = _tools(body, limits)
    return ChatPrompt((*opening, *turns), tools, tool_choice=choice)


def _refuse_what_is_not_done(body: ResponsesRequest) -> None:
    for name in _REFUSED:
        if getattr(body, name):
            raise UnsupportedParameter(f"`{name}` is not supported. Leave it out.", param=name)
    if body.truncation == "auto":
        raise UnsupportedParameter("`truncation`: nothing is cut here. Use `disabled`.", param="truncation")
    if body.reasoning and body.reasoning.get("effort") not in (None, "none"):
        raise UnsupportedParameter("`reasoning` is not supported. Leave it out.", param="reasoning")
    if body.text is not None and body.text.verbosity is not None:
        raise UnsupportedParameter("`text.verbosity` is not supported. Leave it out.", param="text.verbosity")
    if (body.n or 1) > 1:
        raise UnsupportedParameter("`n` must be 1 here.", param="n")


def messages(items: list[InputItem]) -> Iterator[Message]:
    """Turns as the core knows them; calls that follow each other are one turn of the assistant's."""
    calls: list[dict[str, Any]] = []
    for position, item in enumerate(items):
        if isinstance(item, FunctionCallItem):
            arguments = arguments_given(item.arguments, f"input.{position}.arguments")
            calls.append(earlier_call(item.call_id, item.name, arguments))
            continue
        if calls:
            yield Message("assistant", None, extra={"tool_calls": calls})
            calls = []
        if isinstance(item, FunctionOutputItem):
            yield Message("tool", item.output, extra={"tool_call_id": item.call_id})
        else:
            yield Message(item.role, item.content)
    if calls:
        yield Message("assistant", None, extra={"tool_calls": calls})


def _tools(body: ResponsesRequest, limits: RequestLimits) -> tuple[tuple[Tool, ...], ToolChoice]:
    tools = tuple(function_tool(one.name, one.description, one.parameters) for one in body.tools or ())
    if body.tool_choice == "none":
        return (), ToolChoice()
    choice = ToolChoice(
        required=body.tool_choice == "required",
        name=body.tool_choice.name if isinstance(body.tool_choice, FlatToolChoice) else None,
        parallel=body.parallel_tool_calls is not False,
    )
    check_tools(tools, choice, grammar_bytes=limits.grammar_bytes)
    return tools, choice


def sampling(body: ResponsesRequest, limits: RequestLimits, prompt: ChatPrompt) -> SamplingParams:
    """Sampling parameters. Raises InvalidRequest where they exceed ``limits`` or contradict the tools."""
    constraint = _constraint(body.text or TextSettings())
    found = sampling_params(body, limits, max_tokens=body.max_output_tokens, constraint=constraint)
    refuse_format_with_tools(prompt.tools, found.constraint, param="text.format")
    return found


def _constraint(text: TextSettings) -> Constraint | None:
    if text.format is None or text.format.type == "text":
        return None
    if text.format.type == "json_object":
        return json_constraint({"type": "object"})
    if text.format.schema_ is None:
        raise InvalidRequest("`text.format.schema` is required for this type.", param="text.format.schema")
    return json_constraint(text.format.schema_)


def opened(body: ResponsesRequest, response_id: str, created: int, model: str) -> ResponseObject:
    """The response before anything of it is there."""
    choice = body.tool_choice
    named = {"type": "function", "name": choice.name} if isinstance(choice, FlatToolChoice) else choice or "auto"
    form = body.text.format if body.text is not None else None
    return ResponseObject(
        id=response_id,
        created_at=created,
        status="in_progress",
        model=model,
        instructions=body.instructions,
        max_output_tokens=body.max_output_tokens,
        metadata=body.metadata or {},
        parallel_tool_calls=body.parallel_tool_calls is not False,
        temperature=1.0 if body.temperature is None else body.temperature,
        top_p=1.0 if body.top_p is None else body.top_p,
        text={"format": form.model_dump(by_alias=True, exclude_none=True) if form else {"type": "text"}},
        tool_choice=named,
        tools=[one.model_dump() for one in body.tools or ()],
    )


def finished(response: ResponseObject, choice: Choice) -> ResponseObject:
    """The response with its output; the usage is still to come."""
    items = [message_item(new_id("msg"), choice.text)] if choice.text or not choice.calls else []
    items += [call_item(new_id("fc"), new_id("call"), call.name, call.arguments) for call in choice.calls]
    cut = choice.finish_reason == "length"
    return msgspec.structs.replace(
        response,
        status="incomplete" if cut else "completed",
        incomplete_details={"reason": "max_output_tokens"} if cut else None,
        output=items,
    )


def message_item(item_id: str, text: str, *, status: str = "completed") -> dict[str, Any]:
    """An item of text."""
    content = [text_part(text)] if status == "completed" else []
    return {"type": "message", "id": item_id, "role": "assistant", "status": status, "content": content}


def text_part(text: str) -> dict[str, Any]:
    """The only part of such an item."""
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def call_item(item_id: str, call_id: str, name: str, arguments: str, *, status: str = "completed") -> dict[str, Any]:
    """An item of a call."""
    return {
        "type": "function_call",
        "id": item_id,
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": status,
    }
