"""What both clients share: bodies, headers, and a batch cut into calls."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from podium.client.results import BatchItem, BatchResult, Usage

CONNECT_SECONDS = 5.0
GOOD = (200,)
HEALTH_STATUSES = (200, 503)
Progress = Callable[[int, int], None]
"""Called with how many prompts have ended, and how many there are."""
LEAST_BATCH = 1
_NO_USAGE = Usage(0, 0, 0, 0)


def headers_for(api_key: str | None) -> dict[str, str]:
    """Headers of every request."""
    return {} if api_key is None else {"authorization": f"Bearer {api_key}"}


def new_idempotency_key() -> dict[str, str]:
    """A header that makes a retry join the generation that a lost answer belonged to, instead of starting another."""
    return {"idempotency-key": str(uuid.uuid4())}


def generation(model: str | None, prompt: str, members: dict[str, Any]) -> dict[str, Any]:
    """Body of ``/generate``."""
    return {"prompt": prompt, **({} if model is None else {"model": model}), **members}


@dataclass
class Batch:
    """Prompts on their way: which are to be sent next, and what came of the others.

    A prompt whose error is retryable is sent again, up to ``retries`` times.
    """

    prompts: Sequence[str]
    size: int
    retries: int
    items: list[BatchItem | None] = field(init=False)
    usage: Usage = _NO_USAGE

    def __post_init__(self) -> None:
        if self.size < LEAST_BATCH:
            raise ValueError(f"batch_size must be at least {LEAST_BATCH}, not {self.size}")
        self.items = [None] * len(self.prompts)

    @property
    def done(self) -> int:
        """How many have their text or their last error."""
        return sum(item is not None for item in self.items)

    def calls(self) -> list[list[int]]:
        """Positions of the prompts without an item, in calls of ``size``."""
        waiting = [position for position, item in enumerate(self.items) if item is None]
        return [waiting[start : start + self.size] for start in range(0, len(waiting), self.size)]

    def take(self, positions: list[int], items: Sequence[BatchItem], usage: Usage, *, last: bool) -> None:
        """Keep what a call brought; with ``last`` retryable errors too."""
        for position, item in zip(positions, items, strict=True):
            if item.error is None or last or not item.error.retryable:
                self.items[position] = item
        self.usage = Usage(
            self.usage.prompt_tokens + usage.prompt_tokens,
            self.usage.completion_tokens + usage.completion_tokens,
            self.usage.total_tokens + usage.total_tokens,
            (self.usage.cached_tokens or 0) + (usage.cached_tokens or 0),
        )

    def result(self) -> BatchResult:
        """All of them."""
        return BatchResult([item for item in self.items if item is not None], self.usage)
