"""Anthropic's requests to generation requests, and generated pieces to Anthropic's shapes. Pure functions."""

from __future__ import annotations

from podium.api.sampling import check_at_most
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.generation import ChatPrompt, Message, SamplingParams, Usage
from podium.protocols.anthropic import CountTokensRequest, MessagesRequest, MessageUsage


def chat_prompt(body: CountTokensRequest) -> ChatPrompt:
    """The turns, with ``system`` before them. Raises UnsupportedParameter for what would change the answer unseen."""
    _refuse_what_is_not_done(body)
    if body.messages[-1].role != "user":
        raise UnsupportedParameter(
            "The last message must be the user's: answers that begin with given words are not supported.",
            param="messages",
        )
    system = [Message(role="system", content=body.system)] if body.system else []
    return ChatPrompt((*system, *(Message(role=one.role, content=one.content) for one in body.messages)))


def _refuse_what_is_not_done(body: CountTokensRequest) -> None:
    wants_tools = body.tool_choice is not None and body.tool_choice.get("type") != "none"
    if body.tools or wants_tools:
        param = "tools" if body.tools else "tool_choice"
        raise UnsupportedParameter(f"`{param}`: tools are not supported on this route. Leave it out.", param=param)
    if body.thinking is not None and body.thinking.get("type") != "disabled":
        raise UnsupportedParameter("`thinking` is not supported here. Leave it out, or disable it.", param="thinking")


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
    return ("stop_sequence", stop_reason) if isinstance(stop_reason, str) else ("end_turn", None)


def usage_of(usage: Usage) -> MessageUsage:
    """The tokens in Anthropic's terms."""
    cached = usage.cached_tokens or 0
    return MessageUsage(usage.prompt_tokens - cached, usage.completion_tokens, cached)
