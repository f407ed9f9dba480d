"""Inputs that wait for a batch, and which of them the next batch takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from podium.core.one_shot import InputIds
from podium.engine.one_shot import BatchLimits

SHORT_TOKENS = 16


class WaitingInput(NamedTuple):
    """One input of a request; ``tokens`` is its length."""

    request_id: int
    position: int
    ids: InputIds
    tokens: int
    arrived: float


class InputQueue:
    """A batch is the oldest input and those whose length is nearest to its own, up to the limits.

    Every input is padded to the longest of its batch. ``padding_tokens`` is the most that costs less than a pass of
    its own does on this engine; 0: as many as the input has, so that at most half of a batch is padding. Nobody
    waits longer than until it is the oldest. A batch is due when the limits are reached, or when its oldest input has
    waited for ``delay_seconds``.
    """

    def __init__(
        self, limits: BatchLimits, clock: Callable[[], float] = time.monotonic, *, padding_tokens: int = 0
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._padding_tokens = padding_tokens
        self._waiting: list[WaitingInput] = []
        self._tokens = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request_id: int, inputs: Sequence[InputIds]) -> None:
        """Append the inputs of a request, which are never empty."""
        now = self._clock()
        for position, ids in enumerate(inputs):
            self._waiting.append(WaitingInput(request_id, position, ids, len(ids.token_ids), now))
            self._tokens += len(ids.token_ids)

    def drop(self, request_id: int) -> None:
        """Nobody wants the answer of this request any more."""
        self._keep([waiting for waiting in self._waiting if waiting.request_id != request_id])

    def due_seconds(self) -> float | None:
        """How long until a batch should be taken: 0 is now, None is not before something is added."""
        if not self._waiting:
            return None
        if len(self._waiting) >= self._limits.max_inputs or self._tokens >= self._limits.max_tokens:
            return 0.0
        return max(0.0, self._waiting[0].arrived + self._limits.delay_seconds - self._clock())

    def take(self) -> list[WaitingInput]:
        """The next batch, in the order of arrival; at least one input, which must be there."""
        length = self._waiting[0].tokens
        nearest = sorted(range(len(self._waiting)), key=lambda place: abs(self._waiting[place].tokens - length))
        shortest = longest = length
        taken: set[int] = set()
        for place in nearest:
            tokens = self._waiting[place].tokens
            low, high = min(shortest, tokens), max(longest, tokens)
            if high - low > self._most_padding(low) or (taken and (len(taken) + 1) * high > self._limits.max_tokens):
                continue
            shortest, longest = low, high
            taken.add(place)
            if len(taken) == self._limits.max_inputs:
                break
        batch = [self._waiting[place] for place in sorted(taken)]
        self._keep([waiting for place, waiting in enumerate(self._waiting) if place not in taken])
        return batch

    def _most_padding(self, tokens: int) -> int:
        return self._padding_tokens or max(tokens, SHORT_TOKENS - tokens)

    def _keep(self, waiting: list[WaitingInput]) -> None:
        self._waiting = waiting
        self._tokens = sum(one.tokens for one in waiting)
