"""What a text generation is: the request, its parameters, and the pieces of its answer.

These types cross the worker socket as they are (msgspec), so the API process, the worker and the
engine adapters share one vocabulary. Every dialect translates to and from them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from podium.core.identity import LOCAL, Principal

FinishReason = Literal["stop", "length", "tool_calls"]
"""``stop``: end-of-sequence, a stop string or a stop token. ``length``: the token limit. ``tool_calls``: the answer
holds calls and ended by itself."""

Role = Literal["system", "developer", "user", "assistant", "tool"]


class Message(msgspec.Struct, frozen=True, omit_defaults=True):
    """One chat message. ``extra`` holds members that only a chat template reads.

    Among them: ``tool_calls`` of an assistant, ``[{"id", "type": "function", "function": {"name", "arguments"}}]``
    with the arguments as an object, and ``tool_call_id`` of a tool's answer.
    """

    role: Role
    content: str | None = None
    name: str | None = None
    extra: dict[str, Any] = {}


class TextPrompt(msgspec.Struct, frozen=True, tag="text"):
    """Plain text; the tokenizer adds what special tokens its configuration says."""

    text: str


class TokensPrompt(msgspec.Struct, frozen=True, tag="tokens"):
    """Token ids, used as they are."""

    token_ids: tuple[int, ...]


class ToolChoice(msgspec.Struct, frozen=True):
    """What the model may do with its tools. ``required``: it must call one; ``name``: it must call that one.

    ``parallel`` False: the answer ends with its first call.
    """

    required: bool = False
    name: str | None = None
    parallel: bool = True

    @property
    def single(self) -> bool:
        """Whether one call is the most there may be."""
        return self.name is not None or not self.parallel


class ChatPrompt(msgspec.Struct, frozen=True, tag="chat"):
    """Messages, rendered by the model's own chat template in the worker.

    ``tools`` are ``{"type": "function", "function": {"name", "description"?, "parameters"?}}``; calls of them are
    parsed out of the answer.
    """

    messages: tuple[Message, ...]
    tools: tuple[dict[str, Any], ...] = ()
    add_generation_prompt: bool = True
    tool_choice: ToolChoice = ToolChoice()

    @property
    def forces_a_call(self) -> bool:
        """Whether the answer must be a call."""
        return bool(self.tools) and (self.tool_choice.required or self.tool_choice.name is not None)


Prompt = TextPrompt | TokensPrompt | ChatPrompt


class Constraint(msgspec.Struct, frozen=True):
    """The output must match a grammar. ``source`` is a JSON schema (as JSON text) or a regex."""

    kind: Literal["json_schema", "regex"]
    source: str


class SamplingParams(msgspec.Struct, frozen=True, omit_defaults=True):
    """How tokens are chosen and when generation ends.

    ``temperature`` 0 is greedy. ``top_k`` 0, ``top_p`` 1 and ``min_p`` 0 are off. ``max_tokens`` None
    means up to the model's context. ``logprobs`` None returns none; k returns the chosen token's log
    probability and the k most likely ones. ``echo`` puts the prompt before the answer (with its log
    probabilities, if those are asked for). ``min_tokens`` holds before *any* stop, stop strings
    included. Log probabilities are natural and of the distribution before temperature and cuts.
    """

    max_tokens: int | None = None
    min_tokens: int = 0
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    stop: tuple[str, ...] = ()
    stop_token_ids: tuple[int, ...] = ()
    seed: int | None = None
    n: int = 1
    logprobs: int | None = None
    echo: bool = False
    logit_bias: dict[int, float] = {}
    ignore_eos: bool = False
    constraint: Constraint | None = None

    @property
    def is_greedy(self) -> bool:
        """Whether each step takes the most likely token."""
        return self.temperature == 0.0

    @property
    def is_deterministic(self) -> bool:
        """Whether the request alone determines the answer (greedy, or a seed)."""
        return self.is_greedy or self.seed is not None


class CacheControl(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a caller wants of the response cache.

    ``read`` False: compute anew. ``write`` False: keep nothing of the answer. ``max_age_seconds``: take no
    older answer. ``force``: use the cache although the request does not determine its answer.
    """

    read: bool = True
    write: bool = True
    max_age_seconds: float | None = None
    force: bool = False


class GenerationRequest(msgspec.Struct, frozen=True):
    """One prompt to one model, from one caller.

    ``priority``: higher is served first among the caller's own. ``timeout_seconds``: None is none.
    ``idempotency_key``: of the caller, unique in its tenant; a second request with it gets the first one's
    answer, computed or still being computed.
    """

    id: str
    model: str
    prompt: Prompt
    sampling: SamplingParams
    priority: int = 0
    timeout_seconds: float | None = None
    caller: Principal = LOCAL
    cache: CacheControl = CacheControl()
    idempotency_key: str | None = None


class TokenLogprob(msgspec.Struct, frozen=True, array_like=True):
    """A token with its log probability; ``logprob`` None is the first prompt token under ``echo``.

    ``top`` holds (token id, token text, log probability), most likely first, and is empty unless
    alternatives were asked for.
    """

    token_id: int
    token: str
    logprob: float | None
    top: tuple[tuple[int, str, float], ...] = ()


class ToolCallDelta(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of call number ``index``. Its first one has the ``name``; ``arguments`` are pieces of a JSON object."""

    index: int
    name: str | None = None
    arguments: str = ""


class Chunk(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of one choice, in order. The last chunk of a choice has ``finish_reason``.

    ``text`` never ends within a character. ``prompt_tokens`` and ``cached_tokens`` repeat on every
    chunk. ``token_count`` counts the newly generated tokens this piece stands for (0 for an echoed
    prompt). ``stop_reason`` is the stop string or stop token that ended the choice.
    """

    index: int
    text: str = ""
    token_ids: tuple[int, ...] = ()
    token_count: int = 0
    logprobs: tuple[TokenLogprob, ...] | None = None
    finish_reason: FinishReason | None = None
    stop_reason: str | int | None = None
    prompt_tokens: int = 0
    cached_tokens: int | None = None
    tool_calls: tuple[ToolCallDelta, ...] = ()


class Usage(msgspec.Struct, frozen=True):
    """Tokens of a request over all its choices; the prompt counts once.

    ``cached_tokens`` is None when the engine does not tell how much of the prompt it found in its cache.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int | None = None

    @property
    def total_tokens(self) -> int:
        """Prompt and completion together."""
        return self.prompt_tokens + self.completion_tokens

    def add(self, chunk: Chunk) -> Usage:
        """The usage after ``chunk``."""
        return Usage(
            prompt_tokens=chunk.prompt_tokens or self.prompt_tokens,
            completion_tokens=self.completion_tokens + chunk.token_count,
            cached_tokens=self.cached_tokens if chunk.cached_tokens is None else chunk.cached_tokens,
        )

    @classmethod
    def total(cls, usages: Iterable[Usage]) -> Usage:
        """The usage of several requests together."""
        prompt_tokens = completion_tokens = 0
        cached_tokens: int | None = None
        for usage in usages:
            prompt_tokens += usage.prompt_tokens
            completion_tokens += usage.completion_tokens
            if usage.cached_tokens is not None:
                cached_tokens = (cached_tokens or 0) + usage.cached_tokens
        return cls(prompt_tokens, completion_tokens, cached_tokens)
