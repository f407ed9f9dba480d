"""What is sent to an OpenAI-compatible server: one sequence as a path and a body.

Members that OpenAI defines are sent to every server. Members that vLLM added (``top_k``, ``min_tokens``,
…) are silently ignored by servers which do not know them, so they are sent only to servers known to
honour them, and refused by name for all others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from podium.core.errors import UnsupportedParameter
from podium.core.generation import ChatPrompt, Constraint, Message, SamplingParams, TextPrompt
from podium.engine.interface import EngineSequence

EXTENDING_SERVERS = frozenset({"vllm", "podium"})  # as `owned_by` of /v1/models names them
EXTENSIONS = ("top_k", "min_p", "repetition_penalty", "min_tokens", "stop_token_ids", "ignore_eos")
CAPABLE_ENGINE = "vllm"  # an engine that honours whatever is refused here


@dataclass(frozen=True)
class Dialect:
    """What the server at the other end understands. ``extended``: vLLM's additions to OpenAI's members."""

    model: str
    extended: bool

    def unsupported(self) -> dict[str, str]:
        """Sampling parameters that are refused for this server, with an engine that honours each."""
        return {} if self.extended else dict.fromkeys(EXTENSIONS, CAPABLE_ENGINE)


@dataclass(frozen=True)
class OutgoingRequest:
    """Path below the base URL, and the JSON body."""

    path: str
    body: dict[str, Any]


def build(sequence: EngineSequence, dialect: Dialect) -> OutgoingRequest:
    """The request for one sequence. Raises ``UnsupportedParameter`` for what the protocol cannot say."""
    sampling = sequence.sampling
    body: dict[str, Any] = {
        "model": dialect.model,
        "stream": True,
        "stream_options": {"include_usage": True},
        # Always sent: a server's own defaults may differ from Podium's.
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
        **_optional(sampling),
        **_length(sequence),
        **_constraint(sampling.constraint, chat=isinstance(sequence.prompt, ChatPrompt), dialect=dialect),
    }
    if dialect.extended:
        body |= _extensions(sampling)
    if isinstance(sequence.prompt, ChatPrompt):
        return OutgoingRequest("/chat/completions", body | _chat(sequence.prompt, sampling))
    return OutgoingRequest("/completions", body | _completion(sequence))


def _optional(sampling: SamplingParams) -> dict[str, Any]:
    members: dict[str, Any] = {
        "presence_penalty": sampling.presence_penalty,
        "frequency_penalty": sampling.frequency_penalty,
        "stop": list(sampling.stop),
        "logit_bias": {str(token_id): bias for token_id, bias in sampling.logit_bias.items()},
    }
    sent = {name: value for name, value in members.items() if value}
    return sent if sampling.seed is None else sent | {"seed": sampling.seed}


def _length(sequence: EngineSequence) -> dict[str, int]:
    """`max_tokens` on both routes: every server knows it, while some ignore `max_completion_tokens`."""
    asked = sequence.sampling.max_tokens
    limit = sequence.max_tokens if asked is None else asked
    return {"max_tokens": limit} if limit or asked is not None else {}


def _extensions(sampling: SamplingParams) -> dict[str, Any]:
    default = SamplingParams()
    values = {name: getattr(sampling, name) for name in EXTENSIONS}
    changed = {name: value for name, value in values.items() if value != getattr(default, name)}
    # Running counts make each piece's token count exact.
    return changed | {"stream_options": {"include_usage": True, "continuous_usage_stats": True}}


def _constraint(constraint: Constraint | None, *, chat: bool, dialect: Dialect) -> dict[str, Any]:
    if constraint is None:
        return {}
    if constraint.kind == "regex" and dialect.extended:
        return {"structured_outputs": {"regex": constraint.source}}
    if constraint.kind == "json_schema" and (chat or dialect.extended):
        schema = {"name": "answer", "strict": True, "schema": json.loads(constraint.source)}
        return {"response_format": {"type": "json_schema", "json_schema": schema}}
    raise UnsupportedParameter(
        "The remote server is not known to enforce this constraint here. A JSON schema works on the chat route; "
        f"otherwise use a model served by the {CAPABLE_ENGINE} engine.",
        param="constraint",
    )


def _chat(prompt: ChatPrompt, sampling: SamplingParams) -> dict[str, Any]:
    if sampling.echo:
        raise UnsupportedParameter("A remote chat cannot echo its prompt; use /v1/completions.", param="echo")
    if not prompt.add_generation_prompt:
        raise UnsupportedParameter(
            "A remote server renders the chat itself and always begins an answer.", param="add_generation_prompt"
        )
    body: dict[str, Any] = {"messages": [_message(message) for message in prompt.messages]}
    if sampling.logprobs is not None:
        body |= {"logprobs": True, "top_logprobs": sampling.logprobs}
    return body | _tools(prompt)


def _tools(prompt: ChatPrompt) -> dict[str, Any]:
    if not prompt.tools:
        return {}
    choice = prompt.tool_choice
    named = {"type": "function", "function": {"name": choice.name}}
    body: dict[str, Any] = {
        "tools": list(prompt.tools),
        "tool_choice": named if choice.name is not None else ("required" if choice.required else "auto"),
    }
    return body if choice.parallel else body | {"parallel_tool_calls": False}


def _message(message: Message) -> dict[str, Any]:
    named = {"name": message.name} if message.name is not None else {}
    extra = dict(message.extra)
    if "tool_calls" in extra:
        extra["tool_calls"] = [_call(call) for call in extra["tool_calls"]]
    return {**extra, "role": message.role, "content": message.content, **named}


def _call(call: dict[str, Any]) -> dict[str, Any]:
    """On the wire the arguments of a call are text."""
    function = call["function"]
    return call | {"function": function | {"arguments": json.dumps(function["arguments"], ensure_ascii=False)}}


def _completion(sequence: EngineSequence) -> dict[str, Any]:
    text = sequence.prompt.text if isinstance(sequence.prompt, TextPrompt) else None
    body: dict[str, Any] = {"prompt": list(sequence.token_ids) if text is None else text}
    if sequence.sampling.echo:
        body["echo"] = True
    if sequence.sampling.logprobs is not None:
        body["logprobs"] = sequence.sampling.logprobs
    return body
