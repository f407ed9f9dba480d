"""The ways in which models write calls, told by their chat templates.

``hermes`` (Qwen, Hermes): ``<tool_call>{"name": …, "arguments": {…}}</tool_call>``, anywhere in the answer.
``llama3``: the answer is ``{"name": …, "parameters": {…}}``, or several with ``;`` between them.
``mistral``: ``[TOOL_CALLS]``, then a list of calls, or each as ``name[ARGS]{…}``.
"""

from __future__ import annotations

from typing import Literal

ToolFormat = Literal["hermes", "llama3", "mistral"]

SHOWN_TOKENS = ("<tool_call>", "</tool_call>", "<|python_tag|>", "[TOOL_CALLS]", "[ARGS]", "[CALL_ID]")
"""Marks of calls. Some tokenizers count them among the special tokens, which are left out of an answer's text."""


def format_of(template: str | None) -> ToolFormat | None:
    """The format that ``template`` teaches its model; None where it shows no tools, or teaches another one."""
    if template is None or "tools" not in template or "<function=" in template:
        return None
    if "<tool_call>" in template:
        return "hermes"
    if "[TOOL_CALLS]" in template:
        return "mistral"
    if "<|start_header_id|>" in template and '"parameters"' in template:
        return "llama3"
    return None


def configured_format(setting: ToolFormat | Literal["auto", "none"], template: str | None) -> ToolFormat | None:
    """What ``models[].tool_format`` says; ``auto`` asks the template."""
    if setting == "auto":
        return format_of(template)
    return None if setting == "none" else setting


def arguments_member(kind: ToolFormat) -> str:
    """Name of the member that holds a call's arguments."""
    return "parameters" if kind == "llama3" else "arguments"
