"""The engine interface, on one screen.

An engine produces tokens for sequences. It lives in a worker process and is driven by one thread:
``submit`` and ``abort`` between steps, then ``step``. Whatever is the same for all engines happens
above it, in ``podium.engine.output``: detokenisation, stop strings, echo, counting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec

from podium.core.generation import ChatPrompt, FinishReason, SamplingParams, TextPrompt, TokenLogprob, ToolCallDelta
from podium.core.one_shot import InputIds, RowsOf, Task


class EngineFacts(msgspec.Struct, frozen=True):
    """What a loaded engine is and can do.

    ``unsupported`` maps a request parameter to an engine that honours it, or to "" where none does; the dispatcher
    refuses such a request by name. ``text_engine``: prompts are passed on as text and text comes back (``remote``).
    ``max_output_tokens`` is the bound of an answer that has a context of its own (an encoder-decoder's); 0: prompt and
    answer share ``max_model_len``. ``default_output_tokens``: what the checkpoint itself writes at most; 0 is unknown.
    A one-shot engine has a ``task`` of its own, and ``dimensions`` is the length of its vectors; its sequences
    are inputs. A classifier's vectors have a number for each of ``labels``; ``multi_label`` as in its plan.
    ``rows_of`` says what an input has vectors for; ``mask_token_id`` is -1 where there is none. ``padding_tokens``: how
    much padding costs no more than a pass of the model does by itself; 0: not known.
    """

    engine: str
    engine_version: str
    device: str
    precision: str
    max_model_len: int
    max_batch_sequences: int
    kv_cache_tokens: int = 0
    unsupported: dict[str, str] = {}
    text_engine: bool = False
    task: Task = "generate"
    dimensions: int = 0
    labels: tuple[str, ...] = ()
    multi_label: bool = False
    rows_of: RowsOf = "input"
    mask_token_id: int = -1
    mask_token: str = ""
    padding_tokens: int = 0
    max_output_tokens: int = 0
    default_output_tokens: int = 0

    def output_room(self, prompt_tokens: int) -> int:
        """How many tokens an answer to a prompt of so many may have; not above 0: none."""
        return self.max_output_tokens or self.max_model_len - prompt_tokens

    def rows(self, ids: InputIds) -> int:
        """How many vectors an input has."""
        match self.rows_of:
            case "input":
                return 1
            case "token":
                return len(ids.token_ids)
            case "mask":
                return ids.token_ids.count(self.mask_token_id)


class EngineSequence(msgspec.Struct, frozen=True):
    """One choice to generate.

    ``sampling.n`` is 1 and ``max_tokens`` is resolved. Without a ``seed`` no two sequences may draw the
    same numbers.
    ``token_ids`` is the prompt; a text engine gets ``prompt`` instead. ``stop_token_ids`` holds the
    end-of-sequence ids (unless ``ignore_eos``) and the caller's stop tokens. Stop strings and ``echo``
    of the prompt's text are not the engine's business, except for a text engine.
    """

    id: int
    token_ids: tuple[int, ...]
    sampling: SamplingParams
    stop_token_ids: frozenset[int]
    max_tokens: int
    prompt: TextPrompt | ChatPrompt | None = None


class RawLogprob(msgspec.Struct, frozen=True, array_like=True):
    """Log probability of one token; ``top`` holds (token id, log probability), most likely first."""

    token_id: int
    logprob: float | None
    top: tuple[tuple[int, float], ...] = ()


class SequenceOutput(msgspec.Struct):
    """What one step produced for one sequence.

    ``token_ids`` are new tokens, the stop token included. ``logprobs`` runs parallel to them.
    ``prompt_logprobs`` comes once, with the first output, when ``echo`` and ``logprobs`` were asked
    for: one entry for each prompt token, the first with ``logprob`` None. ``finish_reason`` ends the
    sequence. ``error`` ends it too: (error code, message). ``cached_tokens``: prompt tokens that were not
    computed anew, None when the engine does not tell. ``text``, ``text_logprobs`` (token id -1 where
    only the token's text is known), ``token_count``, ``prompt_tokens`` and ``tool_calls`` are for text engines only.
    """

    sequence_id: int
    token_ids: Sequence[int] = ()
    logprobs: Sequence[RawLogprob] | None = None
    prompt_logprobs: Sequence[RawLogprob] | None = None
    finish_reason: FinishReason | None = None
    error: tuple[str, str] | None = None
    cached_tokens: int | None = None
    text: str | None = None
    text_logprobs: Sequence[TokenLogprob] | None = None
    token_count: int = 0
    prompt_tokens: int = 0
    tool_calls: tuple[ToolCallDelta, ...] = ()


class EngineGauges(msgspec.Struct, frozen=True, array_like=True):
    """The engine's state after a step. ``kv_cache_usage_ratio`` is 0 to 1."""

    running: int = 0
    waiting: int = 0
    kv_cache_usage_ratio: float = 0.0


class Engine(Protocol):
    """Produces tokens. Not thread-safe: one thread calls everything."""

    facts: EngineFacts

    def submit(self, sequence: EngineSequence) -> None:
        """Accept a sequence for the coming steps. Raises a ``PodiumError`` if it can never run."""

    def abort(self, sequence_id: int) -> None:
        """Drop a sequence before the next step and free its memory. Unknown ids are ignored."""

    def has_unfinished(self) -> bool:
        """Whether ``step`` would do anything."""

    def step(self) -> list[SequenceOutput]:
        """Advance the batch once and return what is new; may return nothing. Blocks while computing."""

    def gauges(self) -> EngineGauges:
        """Running, waiting, KV use. Cheap: called after every step."""

    def close(self) -> None:
        """Free everything and end child processes."""


ProgressReport = Callable[[str, float], None]
"""Called with a stage name and its done ratio (0 to 1; -1 when unknown) while a model loads."""


class LoadContext(msgspec.Struct, frozen=True):
    """What an adapter's ``load`` gets besides the folder and its own settings.

    ``max_model_len`` 0 means the checkpoint's. ``eos_token_ids`` come from the checkpoint's
    generation configuration.
    """

    report: ProgressReport
    max_model_len: int = 0
    trust_remote_code: bool = False
    eos_token_ids: frozenset[int] = frozenset()
