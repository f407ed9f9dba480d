"""Anthropic's requests to generation requests, and generated pieces to Anthropic's shapes. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from podium.api.answering import Choice
from podium.api.sampling import check_at_most
from podium.api.tools import Tool, check_tools, earlier_call, function_tool, whole_calls
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.generation import ChatPrompt, Message, SamplingParams, ToolChoice, Usage
from podium.core.ids import new_id
from podium.protocols.anthropic import (
    ClaudeTool,
    ClaudeToolChoice,
    CountTokensRequest,
    InputMessage,
    MessagesRequest,
    MessageUsage,
    TextBlock,
    ToolUseBlock,
)
from podium.protocols.anthropic_blocks import ToolResultGiven, ToolUseGiven


def chat_prompt(body: CountTokensRequest, limits: RequestLimits) -> ChatPrompt:
    """The turns, with ``system`` before them. Raises UnsupportedParameter for what would change the answer unseen."""
    if body.thinking is not None and body.thinking.get("type") != "disabled":
        raise UnsupportedParameter("`thinking` is not supported here. Leave it out, or disable it.", param="thinking")
    if body.messages[-1].role != "user":
        raise UnsupportedParameter(
            "The last message must be the user's: answers that begin with given words are not supported.",
            param="messages",
        )
    system = [Message(role="system", content=body.system)] if body.system else []
    tools, choice = _tools(body, limits)
    return ChatPrompt((*system, *turns(body.messages)), tools, tool_choice=choice)


def _tools(body: CountTokensRequest, limits: RequestLimits) -> tuple[tuple[Tool, ...], ToolChoice]:
    given = body.tool_choice or ClaudeToolChoice(type="auto")
    if given.type == "tool" and given.name is None:
        raise InvalidRequest("`tool_choice.name` is required for this type.", param="tool_choice.name")
    tools = tuple(_tool(position, one) for position, one in enumerate(body.tools or ()))
    if given.type == "none":
        return (), ToolChoice()
    choice = ToolChoice(
        required=given.type == "any",
        name=given.name if given.type == "tool" else None,
        parallel=not given.disable_parallel_tool_use,
    )
    check_tools(tools, choice, grammar_bytes=limits.grammar_bytes)
    return tools, choice


def _tool(position: int, given: ClaudeTool) -> Tool:
    if given.type not in (None, "custom"):
        raise UnsupportedParameter(
            f"`tools.{position}.type`: only tools that the client runs are supported. Leave this one out.",
            param=f"tools.{position}.type",
        )
    if given.input_schema is None:
        param = f"tools.{position}.input_schema"
        raise InvalidRequest(f"`{param}` is required.", param=param)
    return function_tool(given.name, given.description, given.input_schema)


def turns(given: Sequence[InputMessage]) -> Iterator[Message]:
    """Messages as the core knows them: a user's results of tools become messages of their own, before its text."""
    for position, one in enumerate(given):
        text = "".join(block for block in one.content if isinstance(block, str))
        uses = [block for block in one.content if isinstance(block, ToolUseGiven)]
        results = [block for block in one.content if isinstance(block, ToolResultGiven)]
        if (uses and one.role == "user") or (results and one.role == "assistant"):
            param = f"messages.{position}.content"
            raise InvalidRequest(f"`{param}`: tool_use is the assistant's, tool_result the user's.", param=param)
        yield from (_result(result) for result in results)
        if uses:
            calls = [earlier_call(use.id, use.name, use.input) for use in uses]
            yield Message(role="assistant", content=text or None, extra={"tool_calls": calls})
        elif text or not results:
            yield Message(role=one.role, content=text)


def _result(given: ToolResultGiven) -> Message:
    """Chat templates have no place for ``is_error``, so the text says it."""
    text = f"Error: {given.text}" if given.is_error else given.text
    return Message(role="tool", content=text, extra={"tool_call_id": given.tool_use_id})


def sampling(body: MessagesRequest, limits: RequestLimits) -> SamplingParams:
    """Sampling parameters. Raises InvalidRequest where they exceed ``limits``."""
    stops = tuple(body.stop_sequences or ())
    check_at_most("stop_sequences", len(stops), limits.stops, what="strings")
    if any(not stop.strip() for stop in stops):
        raise InvalidRequest("`stop_sequences` must not hold only white space.", param="stop_sequences")
    return SamplingParams(
        max_tokens=body.max_tokens,
        temperature=1.0 if body.temperature is None else float(body.temperature),
        top_p=1.0 if body.top_p is None else float(body.top_p),
        top_k=body.top_k or 0,
        stop=stops,
    )


def stop_of(finish_reason: str | None, stop_reason: str | int | None) -> tuple[str, str | None]:
    """``stop_reason`` and ``stop_sequence`` of an answer."""
    if finish_reason == "length":
        return "max_tokens", None
    if finish_reason == "tool_calls":
        return "tool_use", None
    return ("stop_sequence", stop_reason) if isinstance(stop_reason, str) else ("end_turn", None)


def blocks_of(choice: Choice) -> list[TextBlock | ToolUseBlock]:
    """An answer's blocks. Raises EngineError for a call whose arguments are no JSON object.

    A call that the token limit cut is left out: its input is not known.
    """
    calls = whole_calls(choice.calls, choice.finish_reason)
    uses = [ToolUseBlock(id=new_id("toolu"), name=call.name, input=call.arguments_object()) for call in calls]
    return [TextBlock(choice.text), *uses] if choice.text or not uses else [*uses]


def usage_of(usage: Usage) -> MessageUsage:
    """The tokens in Anthropic's terms."""
    cached = usage.cached_tokens or 0
    return MessageUsage(usage.prompt_tokens - cached, usage.completion_tokens, cached)
