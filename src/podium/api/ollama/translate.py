"""Ollama's requests to generation requests. Pure functions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from podium.api.sampling import check_at_most, json_constraint
from podium.api.tools import check_tools, earlier_call, refuse_format_with_tools, tools_of
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.generation import ChatPrompt, Constraint, Message, Prompt, SamplingParams, TextPrompt, ToolChoice
from podium.protocols.ollama import OllamaChatRequest, OllamaGenerateRequest, OllamaMessage, OllamaOptions

_LATEST = ":latest"
_NO_LIMIT = (None, -1, -2)
# Each with the values that mean "off"; with any other one the answer would be another than was asked for.
_OFF: dict[str, tuple[Any, ...]] = {
    "mirostat": (None, 0),
    "typical_p": (None, 1),
    "tfs_z": (None, 1),
    "repeat_last_n": (None, -1),
}


def model_name(given: str) -> str:
    """Ollama's clients add a tag to a name that has none."""
    return given.removesuffix(_LATEST)


def chat_prompt(body: OllamaChatRequest, limits: RequestLimits) -> ChatPrompt:
    """The turns and tools. Raises UnsupportedParameter for what would change the answer unseen."""
    _refuse_of_both(body)
    for message in body.messages:
        _refuse_given("messages.images", message.images)
    if body.messages[-1].role == "assistant":
        raise UnsupportedParameter("The last message must not be the assistant's.", param="messages")
    tools = tools_of(body.tools)
    check_tools(tools, ToolChoice(), grammar_bytes=limits.grammar_bytes)
    refuse_format_with_tools(tools, _constraint(body.format, limits), param="format")
    return ChatPrompt(tuple(turns(body.messages)), tools)


def turns(given: Sequence[OllamaMessage]) -> Iterator[Message]:
    """Messages as the core knows them. Ollama's calls have no ids: a tool's message answers the first open one."""
    open_calls: list[str] = []
    for position, one in enumerate(given):
        extra: dict[str, Any] = {}
        if one.tool_calls:
            open_calls = [f"call-{position}-{number}" for number in range(len(one.tool_calls))]
            calls = zip(open_calls, one.tool_calls, strict=True)
            extra["tool_calls"] = [
                earlier_call(call_id, call.function.name, call.function.arguments) for call_id, call in calls
            ]
        elif one.role == "tool":
            extra["tool_call_id"] = open_calls.pop(0) if open_calls else f"call-{position}"
        yield Message(role=one.role, content=one.content, name=one.tool_name, extra=extra)


def generate_prompt(body: OllamaGenerateRequest, *, has_template: bool) -> Prompt:
    """The prompt as one turn, or as it is where it is ``raw`` or the model has no chat template. Raises as above."""
    _refuse_of_both(body)
    for name in ("suffix", "images", "template", "context"):
        _refuse_given(name, getattr(body, name))
    if body.raw or not has_template:
        if body.system:
            raise UnsupportedParameter(
                "`system` needs the model's chat template, which is not used here. Leave it out.", param="system"
            )
        return TextPrompt(body.prompt)
    system = [Message(role="system", content=body.system)] if body.system else []
    return ChatPrompt((*system, Message(role="user", content=body.prompt)))


def sampling(body: OllamaGenerateRequest | OllamaChatRequest, limits: RequestLimits) -> SamplingParams:
    """Sampling parameters; Ollama's own defaults are not taken over. Raises InvalidRequest beyond ``limits``."""
    options = body.options or OllamaOptions()
    for name, off in _OFF.items():
        if getattr(options, name) not in off:
            raise UnsupportedParameter(f"`options.{name}` is not supported. Leave it out.", param=f"options.{name}")
    if options.num_predict == 0:
        raise InvalidRequest("`options.num_predict` must not be 0.", param="options.num_predict")
    check_at_most("options.stop", len(options.stop), limits.stops, what="strings")
    return SamplingParams(
        max_tokens=None if options.num_predict in _NO_LIMIT else options.num_predict,
        temperature=_or(options.temperature, 1.0),
        top_p=_or(options.top_p, 1.0),
        top_k=options.top_k or 0,
        min_p=_or(options.min_p, 0.0),
        repetition_penalty=_or(options.repeat_penalty, 1.0),
        presence_penalty=_or(options.presence_penalty, 0.0),
        frequency_penalty=_or(options.frequency_penalty, 0.0),
        stop=options.stop,
        seed=options.seed,
        constraint=_constraint(body.format, limits),
    )


def _constraint(given: str | dict[str, Any] | None, limits: RequestLimits) -> Constraint | None:
    if not given:
        return None
    constraint = json_constraint({"type": "object"} if given == "json" else given)
    if len(constraint.source.encode()) > limits.grammar_bytes:
        raise InvalidRequest(
            f"`format` is too large; at most {limits.grammar_bytes} bytes are allowed.", param="format"
        )
    return constraint


def _refuse_of_both(body: OllamaGenerateRequest | OllamaChatRequest) -> None:
    _refuse_given("think", body.think)
    _refuse_given("logprobs", body.logprobs)


def _refuse_given(name: str, value: object) -> None:
    if value:
        raise UnsupportedParameter(f"`{name}` is not supported on this route. Leave it out.", param=name)


def _or(value: float | None, default: float) -> float:
    return default if value is None else float(value)
