"""What a prompt's tools mean for one request: whether the model can have them, the grammar, the parsers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import msgspec

from podium.core.errors import UnsupportedParameter
from podium.core.generation import ChatPrompt, Message, SamplingParams, ToolChoice
from podium.engine.tool_calls.format import ToolFormat
from podium.engine.tool_calls.grammar import call_constraint
from podium.engine.tool_calls.parser import ToolCallParser

_MISTRAL_ID = re.compile(r"[A-Za-z0-9]{9}\Z")


@dataclass(frozen=True)
class ToolUse:
    """The tools of one request, and how its model calls them."""

    kind: ToolFormat
    names: frozenset[str]
    choice: ToolChoice
    forced: bool

    def parser(self) -> ToolCallParser:
        """A parser for one choice."""
        return ToolCallParser(self.kind, self.names, forced=self.forced, single=self.choice.single)


def tool_use(prompt: ChatPrompt, kind: ToolFormat | None) -> ToolUse | None:
    """How the tools of ``prompt`` are called; None where it has none. Raises UnsupportedParameter without a format."""
    if not prompt.tools:
        return None
    if kind is None:
        raise UnsupportedParameter(
            "This model's chat template teaches no way of calling tools that is known here (Hermes/Qwen, Llama 3, "
            "Mistral). Leave `tools` out, or have the operator set models[].tool_format or chat_template_file.",
            param="tools",
        )
    names = frozenset(tool["function"]["name"] for tool in prompt.tools)
    return ToolUse(kind, names, prompt.tool_choice, prompt.forces_a_call)


def held_to_calls(
    sampling: SamplingParams, prompt: ChatPrompt, use: ToolUse, unsupported: Mapping[str, str]
) -> SamplingParams:
    """``sampling`` with the grammar of a forced call. Raises UnsupportedParameter for an engine without grammars."""
    if not use.forced:
        return sampling
    if "constraint" in unsupported:
        raise UnsupportedParameter(
            "`tool_choice` cannot force a call: this model's engine does not constrain its output. Use `auto`, or a "
            f"model served by the {unsupported['constraint']} engine.",
            param="tool_choice",
        )
    return msgspec.structs.replace(sampling, constraint=call_constraint(prompt, use.kind))


def with_known_ids(messages: tuple[Message, ...], kind: ToolFormat | None) -> tuple[Message, ...]:
    """Messages whose ids of calls a template takes: Mistral's refuse all but nine letters and digits."""
    if kind != "mistral":
        return messages
    return tuple(
        msgspec.structs.replace(one, extra=_with_short_ids(one.extra)) if one.extra else one for one in messages
    )


def _with_short_ids(extra: dict[str, Any]) -> dict[str, Any]:
    short = dict(extra)
    if isinstance(extra.get("tool_call_id"), str):
        short["tool_call_id"] = _short_id(extra["tool_call_id"])
    if isinstance(extra.get("tool_calls"), list):
        short["tool_calls"] = [call | {"id": _short_id(call["id"])} for call in extra["tool_calls"]]
    return short


def _short_id(given: str) -> str:
    return given if _MISTRAL_ID.match(given) else sha256(given.encode()).hexdigest()[:9]
