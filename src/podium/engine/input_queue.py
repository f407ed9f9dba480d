"""Inputs that wait for a batch, and which of them the next batch takes."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from podium.core.one_shot import InputIds
from podium.engine.one_shot import BatchLimits

SHORTEST_BUCKET_TOKENS = 16


class WaitingInput(NamedTuple):
    """One input of a request; ``bucket_tokens`` is the length that its batch is padded to, at most."""

    request_id: int
    position: int
    ids: InputIds
    bucket_tokens: int
    arrived: float


class InputQueue:
    """A batch is the oldest input and those that wait in its length bucket, up to the limits.

    Buckets double in length, so padding is less than half of a batch, and nobody waits longer than until it
    is the oldest. A batch is due when the limits are reached, or when its oldest input has waited for
    ``delay_seconds``.
    """

    def __init__(self, limits: BatchLimits, clock: Callable[[], float] = time.monotonic) -> None:
        self._limits = limits
        self._clock = clock
        self._waiting: list[WaitingInput] = []
        self._tokens = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, request_id: int, inputs: Sequence[InputIds]) -> None:
        """Append the inputs of a request, which are never empty."""
        now = self._clock()
        for position, ids in enumerate(inputs):
            waiting = WaitingInput(request_id, position, ids, bucket_tokens(len(ids.token_ids)), now)
            self._waiting.append(waiting)
            self._tokens += waiting.bucket_tokens

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
        bucket = self._waiting[0].bucket_tokens
        most = max(1, min(self._limits.max_inputs, self._limits.max_tokens // bucket))
        batch = [waiting for waiting in self._waiting if waiting.bucket_tokens == bucket][:most]
        taken = set(map(id, batch))
        self._keep([waiting for waiting in self._waiting if id(waiting) not in taken])
        return batch

    def _keep(self, waiting: list[WaitingInput]) -> None:
        self._waiting = waiting
        self._tokens = sum(one.bucket_tokens for one in waiting)


def bucket_tokens(length: int) -> int:
    """The smallest of 16, 32, 64, … that holds ``length``."""
    return max(SHORTEST_BUCKET_TOKENS, 1 << (length - 1).bit_length())
