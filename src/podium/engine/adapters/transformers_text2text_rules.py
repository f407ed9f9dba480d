"""What a checkpoint asks of all its answers, by transformers' own processors of logits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from transformers.generation import logits_process

from podium.engine.text2text import Text2TextPlan

Processor = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


class AnswerRules:
    """The rules of one plan for one answer of at most ``token_limit`` tokens; ends are ``eos_token_ids``."""

    def __init__(self, plan: Text2TextPlan, eos_token_ids: frozenset[int], token_limit: int) -> None:
        self.forces_end = bool(plan.forced_eos_token_ids)
        self._start = plan.decoder_start_token_id
        self._processors: list[Processor] | None = None
        self._make = partial(_processors, plan, sorted(eos_token_ids), 1 + token_limit)

    def apply(self, logits: torch.Tensor, generated: Sequence[int]) -> torch.Tensor:
        """See ``Rules``."""
        written = torch.tensor([[self._start, *generated]], dtype=torch.long, device=logits.device)
        scores = logits[None]
        if self._processors is None:  # only now it is known where the logits are
            self._processors = self._make(str(logits.device))
        for processor in self._processors:
            scores = processor(written, scores)
        return scores[0]


def has_rules(plan: Text2TextPlan) -> bool:
    """Whether the plan asks for anything."""
    return bool(
        plan.no_repeat_ngram_size
        or plan.bad_words_ids
        or plan.min_output_tokens
        or plan.forced_bos_token_id >= 0
        or plan.forced_eos_token_ids
        or plan.suppress_tokens
        or plan.begin_suppress_tokens
    )


def _processors(plan: Text2TextPlan, eos: list[int], longest: int, device: str) -> list[Processor]:
    """In the order of ``generate``. Lengths count the decoder's start."""
    found: list[Processor] = []
    if plan.no_repeat_ngram_size:
        found.append(logits_process.NoRepeatNGramLogitsProcessor(plan.no_repeat_ngram_size))
    if plan.bad_words_ids:
        found.append(logits_process.NoBadWordsLogitsProcessor([list(word) for word in plan.bad_words_ids], eos or None))
    if plan.min_output_tokens and eos:
        found.append(logits_process.MinLengthLogitsProcessor(1 + plan.min_output_tokens, eos, device=device))
    if plan.forced_bos_token_id >= 0:
        found.append(logits_process.ForcedBOSTokenLogitsProcessor(plan.forced_bos_token_id))
    if plan.forced_eos_token_ids:
        forced = list(plan.forced_eos_token_ids)
        found.append(logits_process.ForcedEOSTokenLogitsProcessor(longest, forced, device=device))
    if plan.suppress_tokens:
        found.append(logits_process.SuppressTokensLogitsProcessor(list(plan.suppress_tokens), device=device))
    if plan.begin_suppress_tokens:
        first = 1 if plan.forced_bos_token_id < 0 else 2
        begin = list(plan.begin_suppress_tokens)
        found.append(logits_process.SuppressTokensAtBeginLogitsProcessor(begin, first, device=device))
    return found
