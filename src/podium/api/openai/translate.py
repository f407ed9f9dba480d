"""OpenAI requests to generation requests, and generated pieces to OpenAI's shapes. Pure functions."""

from __future__ import annotations

from podium.api.answering import Choice, check_prompt_count
from podium.api.sampling import check_at_most, json_constraint, sampling_params
from podium.api.tools import arguments_given, chosen, earlier_call, refuse_format_with_tools, tools_of
from podium.config.server import RequestLimits
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.generation import (
    ChatPrompt,
    Constraint,
    Message,
    SamplingParams,
    TextPrompt,
    TokenLogprob,
    TokensPrompt,
)
from podium.core.ids import new_id
from podium.protocols.openai import (
    ChatCompletionRequest,
    ChatMessage,
    CompletionRequest,
    OpenAIMembers,
    PromptInput,
    ResponseFormat,
)
from podium.protocols.openai_answers import (
    AssistantMessage,
    ChatChoice,
    ChatLogprobs,
    ChatTokenLogprob,
    CompletionChoice,
    FunctionCall,
    LegacyLogprobs,
    ToolCall,
    TopLogprob,
)

LEAST_LOGPROB = -9999.0
"""Stands for minus infinity, which JSON cannot say."""


def chat_sampling(request: ChatCompletionRequest, limits: RequestLimits) -> SamplingParams:
    """Sampling parameters of a chat completion."""
    if request.top_logprobs and not request.logprobs:
        raise InvalidRequest("`top_logprobs` needs `logprobs` to be true.", param="top_logprobs")
    if request.top_logprobs is not None:
        check_at_most("top_logprobs", request.top_logprobs, limits.logprobs)
    found = sampling_params(
        request,
        limits,
        max_tokens=request.max_completion_tokens or request.max_tokens,
        logprobs=(request.top_logprobs or 0) if request.logprobs else None,
        constraint=_format_constraint(request.response_format),
    )
    hidden = request.tool_choice == "none"
    refuse_format_with_tools(() if hidden else tools_of(request.tools), found.constraint, param="response_format")
    return found


def chat_prompt(request: ChatCompletionRequest, limits: RequestLimits) -> ChatPrompt:
    """Messages and the tools that ``tool_choice`` does not hide. Raises InvalidRequest for a choice without tools."""
    tools, choice = chosen(
        tools_of(request.tools),
        request.tool_choice,
        parallel=request.parallel_tool_calls,
        grammar_bytes=limits.grammar_bytes,
    )
    return ChatPrompt(messages(request.messages), tools, tool_choice=choice)


def messages(given: list[ChatMessage]) -> tuple[Message, ...]:
    """Messages as the core knows them. Raises InvalidRequest for one that needs content and has none."""
    for position, message in enumerate(given):
        if message.content is None and message.role != "assistant":
            param = f"messages.{position}.content"
            raise InvalidRequest(f"`{param}` is required for this role.", param=param)
    return tuple(_message(position, message) for position, message in enumerate(given))


def _message(position: int, message: ChatMessage) -> Message:
    extra = dict(message.model_extra or {})
    if message.tool_calls:
        extra["tool_calls"] = [
            earlier_call(
                call.id,
                call.function.name,
                arguments_given(call.function.arguments, f"messages.{position}.tool_calls.{number}.function.arguments"),
            )
            for number, call in enumerate(message.tool_calls)
        ]
    if message.tool_call_id is not None:
        extra["tool_call_id"] = message.tool_call_id
    return Message(role=message.role, content=message.content, name=message.name, extra=extra)


def completion_sampling(request: CompletionRequest, limits: RequestLimits) -> SamplingParams:
    """Sampling parameters of a plain completion."""
    if request.best_of is not None and request.best_of != (request.n or 1):
        raise UnsupportedParameter("`best_of` must equal `n` on this server. Leave it out.", param="best_of")
    if request.suffix:
        raise UnsupportedParameter("`suffix` is not supported: no model here fills in. Leave it out.", param="suffix")
    return sampling_params(
        request,
        limits,
        max_tokens=request.max_tokens,
        logprobs=request.logprobs,
        echo=bool(request.echo),
        constraint=_format_constraint(request.response_format),
    )


def completion_prompts(request: CompletionRequest, limits: RequestLimits) -> list[TextPrompt | TokensPrompt]:
    """The prompts of a call, one for each generation."""
    check_prompt_count(len(request.prompt), limits.prompts, "prompt")
    return [_prompt(given) for given in request.prompt]


def _prompt(given: PromptInput) -> TextPrompt | TokensPrompt:
    if not given:
        raise InvalidRequest("`prompt` must not be empty. Send at least one character or token.", param="prompt")
    return TextPrompt(given) if isinstance(given, str) else TokensPrompt(given)


def _format_constraint(given: ResponseFormat | None) -> Constraint | None:
    if given is None or given.type == "text":
        return None
    if given.type == "json_object":
        return json_constraint({"type": "object"})
    if given.json_schema is None:
        param = "response_format.json_schema"
        raise InvalidRequest(f"`{param}` is required for this type.", param=param)
    return json_constraint(given.json_schema.schema_)


def finite(logprob: float | None) -> float:
    """``logprob``, with minus infinity and none replaced by a number that JSON can hold."""
    return LEAST_LOGPROB if logprob is None else max(logprob, LEAST_LOGPROB)


def chat_token(entry: TokenLogprob) -> ChatTokenLogprob:
    """A token in chat's shape."""
    top = [TopLogprob(text, finite(logprob), list(text.encode())) for _, text, logprob in entry.top]
    return ChatTokenLogprob(entry.token, finite(entry.logprob), list(entry.token.encode()), top)


def chat_choice(choice: Choice) -> ChatChoice:
    """One whole answer in chat's shape."""
    logprobs = None if choice.logprobs is None else ChatLogprobs([chat_token(entry) for entry in choice.logprobs])
    return ChatChoice(
        index=choice.index,
        message=_assistant_message(choice),
        finish_reason=choice.finish_reason or "stop",
        logprobs=logprobs,
        stop_reason=choice.stop_reason,
    )


def _assistant_message(choice: Choice) -> AssistantMessage:
    if not choice.calls:
        return AssistantMessage(content=choice.text)
    calls = [ToolCall(id=new_id("call"), function=FunctionCall(call.name, call.arguments)) for call in choice.calls]
    return AssistantMessage(content=choice.text or None, tool_calls=calls)


def legacy_logprobs(entries: list[TokenLogprob] | tuple[TokenLogprob, ...], offset: int = 0) -> LegacyLogprobs:
    """Tokens in the shape of plain completions.

    The chosen token is always among its alternatives, with the very same float, because
    lm-evaluation-harness compares the two. ``offset`` is where the first token's text starts.
    """
    offsets: list[int] = []
    for entry in entries:
        offsets.append(offset)
        offset += len(entry.token)
    return LegacyLogprobs(
        tokens=[entry.token for entry in entries],
        token_logprobs=[None if entry.logprob is None else finite(entry.logprob) for entry in entries],
        top_logprobs=[_alternatives(entry) for entry in entries],
        text_offset=offsets,
    )


def _alternatives(entry: TokenLogprob) -> dict[str, float] | None:
    if entry.logprob is None:
        return None
    found: dict[str, float] = {}
    for _, text, logprob in entry.top:
        found.setdefault(text, finite(logprob))
    found.setdefault(entry.token, finite(entry.logprob))
    return found


def completion_choice(choice: Choice, index: int) -> CompletionChoice:
    """One whole answer in the shape of plain completions."""
    return CompletionChoice(
        text=choice.text,
        index=index,
        finish_reason=choice.finish_reason or "stop",
        logprobs=None if choice.logprobs is None else legacy_logprobs(choice.logprobs),
        stop_reason=choice.stop_reason,
    )


def stream_flags(request: OpenAIMembers) -> tuple[bool, bool]:
    """Whether to end with a usage chunk, and whether to put usage into every chunk."""
    options = request.stream_options
    if options is None:
        return False, False
    if not request.stream:
        raise InvalidRequest("`stream_options` needs `stream` to be true.", param="stream_options")
    return bool(options.include_usage), bool(options.continuous_usage_stats)
