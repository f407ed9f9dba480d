"""One sequence while it runs in the transformers adapter: its tokens, its randomness, its end."""

from __future__ import annotations

from collections import Counter

import torch

from podium.core.generation import FinishReason
from podium.engine.adapters.transformers_constraint import Matcher
from podium.engine.adapters.transformers_forward import Prefill
from podium.engine.interface import EngineSequence, RawLogprob


class Running:
    """A submitted sequence. Its random stream is its own, so the batch around it changes nothing."""

    def __init__(self, sequence: EngineSequence, *, max_model_len: int, matcher: Matcher | None = None) -> None:
        self.sequence = sequence
        self.sampling = sequence.sampling
        self.matcher = matcher
        self.prefill = Prefill(sequence.token_ids)
        self.prompt_logprobs: list[RawLogprob] = []
        self.generated: list[int] = []
        self.counts: Counter[int] = Counter()
        self._token_limit = min(sequence.max_tokens, max_model_len - len(sequence.token_ids))
        self._generator = torch.Generator()
        if sequence.sampling.seed is None:
            self._generator.seed()
        else:
            # The mask maps any integer onto the 64 bits that a generator takes.
            self._generator.manual_seed(sequence.sampling.seed & 0xFFFF_FFFF_FFFF_FFFF)

    @property
    def wants_prompt_logprobs(self) -> bool:
        """Whether log probabilities of the prompt are owed."""
        return self.sampling.echo and self.sampling.logprobs is not None

    @property
    def wants_no_tokens(self) -> bool:
        """Whether only the prompt is to be scored."""
        return self._token_limit <= 0

    @property
    def must_go_on(self) -> bool:
        """Whether ``min_tokens`` still forbids a stop token."""
        return len(self.generated) < self.sampling.min_tokens

    def uniform(self) -> float:
        """The sequence's next random number in [0, 1)."""
        return float(torch.rand((), generator=self._generator, dtype=torch.float64))

    def accept(self, token_id: int) -> FinishReason | None:
        """Append a token; returns why the sequence ends, if it does."""
        self.generated.append(token_id)
        self.counts[token_id] += 1
        if self.matcher is not None:
            self.matcher.consume(token_id)
        if token_id in self.sequence.stop_token_ids or (self.matcher is not None and self.matcher.is_finished):
            return "stop"
        return "length" if len(self.generated) >= self._token_limit else None
