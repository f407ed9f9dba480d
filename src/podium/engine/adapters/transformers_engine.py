"""Continuous batching over a transformers model: sequences join and leave between any two steps.

transformers' own continuous batching samples every request with one global configuration and returns
no alternatives, seeds or penalties for each request, so the step loop here is Podium's.
"""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import torch

from podium.core.errors import ContextLengthExceeded, InvalidRequest
from podium.core.generation import FinishReason
from podium.engine.adapters.transformers_constraint import Grammars, Matcher
from podium.engine.adapters.transformers_forward import Forward
from podium.engine.adapters.transformers_sampling import Drawn, draw_tokens, raw_logprobs
from podium.engine.adapters.transformers_sequence import Running
from podium.engine.interface import EngineFacts, EngineGauges, EngineSequence, RawLogprob, SequenceOutput

_NOT_A_NUMBER = (
    "engine_error",
    "The model produced values that are not numbers; serve it at precision bf16 or f32.",
)
_OUT_OF_MEMORY = ("engine_error", "No memory is left for this sequence; retry, or lower engine.max_batch_sequences.")


class Begin(Protocol):
    """How a submitted sequence becomes one that runs."""

    def __call__(self, sequence: EngineSequence, *, token_limit: int, matcher: Matcher | None) -> Running:
        """``token_limit``: the most tokens that it may have."""


class TorchEngine:
    """The ``Engine`` of the transformers adapter. See ``podium.engine.interface``."""

    def __init__(
        self,
        *,
        forward: Forward,
        facts: EngineFacts,
        vocabulary: int,
        grammars: Grammars | None,
        prefill_tokens: int,
        begin: Begin = Running,
    ) -> None:
        self.facts = facts
        self._forward: Forward | None = forward
        self._vocabulary = vocabulary
        self._grammars = grammars
        self._prefill_tokens = prefill_tokens
        self._begin_sequence = begin
        self._waiting: deque[Running] = deque()
        self._running: list[Running] = []

    def submit(self, sequence: EngineSequence) -> None:
        """See ``Engine``. Refuses an empty or too long prompt and token ids outside the vocabulary."""
        self._check(sequence)
        matcher = self._matcher(sequence)
        limit = min(sequence.max_tokens, self.facts.output_room(len(sequence.token_ids)))
        self._waiting.append(self._begin_sequence(sequence, token_limit=limit, matcher=matcher))

    def abort(self, sequence_id: int) -> None:
        """See ``Engine``."""
        for running in self._waiting:
            if running.sequence.id == sequence_id:
                self._waiting.remove(running)
                return
        for row, running in enumerate(self._running):
            if running.sequence.id == sequence_id:
                self._leave(row)
                return

    def has_unfinished(self) -> bool:
        """See ``Engine``."""
        return bool(self._waiting or self._running)

    def step(self) -> list[SequenceOutput]:
        """One token for each running sequence, then prefill of waiting ones within the token budget."""
        with torch.inference_mode():
            return [*self._decode(), *self._admit()]

    def gauges(self) -> EngineGauges:
        """See ``Engine``. The KV share is of what the configured batch could hold at full context."""
        held = self._forward.tokens if self._forward is not None else 0
        return EngineGauges(
            running=len(self._running),
            waiting=len(self._waiting),
            kv_cache_usage_ratio=min(1.0, held / max(1, self.facts.kv_cache_tokens)),
        )

    def close(self) -> None:
        """See ``Engine``."""
        self._waiting.clear()
        self._running.clear()
        self._forward = None

    def _decode(self) -> list[SequenceOutput]:
        if not self._running:
            return []
        try:
            logits = self._model.decode([running.generated[-1] for running in self._running])
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            return [self._fail_youngest()]
        drawn = draw_tokens(logits, self._running)
        outputs = [self._accept(running, one) for running, one in zip(self._running, drawn, strict=True)]
        for row in reversed(range(len(outputs))):
            if _ends(outputs[row]):
                self._leave(row)
        return outputs

    def _admit(self) -> list[SequenceOutput]:
        outputs: list[SequenceOutput] = []
        budget = self._prefill_tokens
        while budget > 0 and self._waiting and len(self._running) < self.facts.max_batch_sequences:
            running = self._waiting[0]
            count = min(budget, running.prefill.remaining)
            budget -= count
            output = self._prefill(running, count)
            if output is not None:
                self._waiting.popleft()
                outputs.append(output)
        return outputs

    def _prefill(self, running: Running, count: int) -> SequenceOutput | None:
        """Advance a prompt; the first output when it is complete, an error when memory is not enough."""
        try:
            logits = self._model.prefill(running.prefill, count, all_positions=running.wants_prompt_logprobs)
            _collect_prompt_logprobs(running, logits)
            if running.prefill.remaining:
                return None
            return self._begin(running, logits[-1:])
        except RuntimeError as error:
            if not _is_out_of_memory(error):
                raise
            return SequenceOutput(running.sequence.id, error=_OUT_OF_MEMORY)

    def _begin(self, running: Running, logits: torch.Tensor) -> SequenceOutput:
        scores = running.prompt_logprobs if running.wants_prompt_logprobs else None
        if running.wants_no_tokens:
            return SequenceOutput(running.sequence.id, prompt_logprobs=scores, finish_reason="length")
        output = self._accept(running, draw_tokens(logits, [running])[0])
        output.prompt_logprobs = scores
        if not _ends(output):
            self._model.join(running.prefill)
            self._running.append(running)
        return output

    def _accept(self, running: Running, drawn: Drawn) -> SequenceOutput:
        if drawn.token_id is None:
            return SequenceOutput(running.sequence.id, error=_NOT_A_NUMBER)
        reason: FinishReason | None = running.accept(drawn.token_id)
        return SequenceOutput(
            running.sequence.id,
            token_ids=(drawn.token_id,),
            logprobs=None if drawn.logprob is None else (drawn.logprob,),
            finish_reason=reason,
        )

    def _leave(self, row: int) -> None:
        """Drop a row; the last one takes its place, in the model's cache and here alike."""
        with torch.inference_mode():
            self._model.leave(row)
        last = self._running.pop()
        if row < len(self._running):
            self._running[row] = last

    def _fail_youngest(self) -> SequenceOutput:
        youngest = self._running[-1].sequence.id
        self._leave(len(self._running) - 1)
        return SequenceOutput(youngest, error=_OUT_OF_MEMORY)

    @property
    def _model(self) -> Forward:
        assert self._forward is not None, "a closed engine was stepped: this is a bug"  # noqa: S101
        return self._forward

    def _matcher(self, sequence: EngineSequence) -> Matcher | None:
        constraint = sequence.sampling.constraint
        if constraint is None:
            return None
        assert self._grammars is not None, "an unsupported constraint got through: this is a bug"  # noqa: S101
        return self._grammars.matcher(constraint)

    def _check(self, sequence: EngineSequence) -> None:
        if not sequence.token_ids:
            raise InvalidRequest("The prompt has no tokens; send at least one.", param="prompt")
        length, limit = len(sequence.token_ids), self.facts.max_model_len
        if length > limit or (sequence.max_tokens > 0 and self.facts.output_room(length) <= 0):
            raise ContextLengthExceeded(
                f"The prompt has {length} tokens and the model's context is {limit}; shorten the prompt.",
                param="prompt",
            )
        if not all(0 <= token < self._vocabulary for token in sequence.token_ids):
            raise InvalidRequest(f"Token ids must lie between 0 and {self._vocabulary - 1}.", param="prompt")
        if not all(0 <= token < self._vocabulary for token in sequence.sampling.logit_bias):
            raise InvalidRequest(f"Token ids must lie between 0 and {self._vocabulary - 1}.", param="logit_bias")


def _collect_prompt_logprobs(running: Running, logits: torch.Tensor) -> None:
    """Score the prompt tokens that follow the computed positions; the first one has no score."""
    if not running.wants_prompt_logprobs:
        return
    prompt: Any = running.sequence.token_ids
    if not running.prompt_logprobs:
        running.prompt_logprobs.append(RawLogprob(prompt[0], None))
    done = running.prefill.done
    following = torch.tensor(prompt[done - logits.shape[0] + 1 : done + 1], dtype=torch.long, device=logits.device)
    scored = raw_logprobs(logits[: following.shape[0]], following, running.sampling.logprobs or 0)
    running.prompt_logprobs.extend(scored)


def _ends(output: SequenceOutput) -> bool:
    return output.finish_reason is not None or output.error is not None


def _is_out_of_memory(error: RuntimeError) -> bool:
    """CUDA has a class for it, the CPU allocator only a message."""
    return isinstance(error, torch.OutOfMemoryError) or "can't allocate memory" in str(error)
