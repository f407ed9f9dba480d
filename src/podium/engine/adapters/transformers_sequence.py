"""One sequence while it runs in the transformers adapter: its tokens, its randomness, its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import torch

from podium.core.generation import FinishReason
from podium.engine.adapters.transformers_constraint import Matcher
from podium.engine.adapters.transformers_forward import Prefill
from podium.engine.interface import EngineSequence, RawLogprob


class Rules(Protocol):
    """What a checkpoint asks of all its answers. ``forces_end``: the last token that there may be ends the text."""

    forces_end: bool

    def apply(self, logits: torch.Tensor, generated: Sequence[int]) -> torch.Tensor:
        """The logits of the token that follows ``generated``, shape (vocabulary,), with what may not come at -inf."""


class Running:
    """A submitted sequence. Its random stream is its own, so the batch around it changes nothing.

    It may have ``token_limit`` tokens. ``read_ids`` are those that count as already said before the first one; None:
    the prompt's.
    """

    def __init__(
        self,
        sequence: EngineSequence,
        *,
        token_limit: int,
        matcher: Matcher | None = None,
        read_ids: tuple[int, ...] | None = None,
        rules: Rules | None = None,
    ) -> None:
        self.sequence = sequence
        self.sampling = sequence.sampling
        self.matcher = matcher
        self.read_ids = sequence.token_ids if read_ids is None else read_ids
        self.rules = rules
        self.prefill = Prefill(sequence.token_ids)
        self.prompt_logprobs: list[RawLogprob] = []
        self.generated: list[int] = []
        self.counts: Counter[int] = Counter()
        self._token_limit = token_limit
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
        is_last = len(self.generated) >= self._token_limit
        if is_last and self.rules is not None and self.rules.forces_end:
            return "length"
        if token_id in self.sequence.stop_token_ids or (self.matcher is not None and self.matcher.is_finished):
            return "stop"
        return "length" if is_last else None
