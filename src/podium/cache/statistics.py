"""What the response cache did and holds, by model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import get_args

from podium.cache.entry_store import Held
from podium.core.standing import CacheStatus

STATUSES: tuple[CacheStatus, ...] = get_args(CacheStatus)


@dataclass(frozen=True)
class ModelUse:
    """One model: answers kept and their bytes in the store, and this process's requests by what came of them."""

    model: str
    keys: int
    memory_bytes: int
    lookups: Mapping[CacheStatus, int]

    @property
    def hit_ratio(self) -> float | None:
        """Share of requests that computed nothing among those that asked the cache; None before the first."""
        saved = self.lookups["hit"] + self.lookups["semantic"] + self.lookups["attach"]
        asked = saved + self.lookups["miss"]
        return saved / asked if asked else None


class Statistics:
    """Counts requests. Models are those that were served, so their number is bounded."""

    def __init__(self) -> None:
        self._by_model: dict[str, dict[CacheStatus, int]] = {}

    @property
    def requests(self) -> Mapping[str, Mapping[CacheStatus, int]]:
        """Requests so far by model, then by what came of them; not a copy."""
        return self._by_model

    def count(self, model: str, status: CacheStatus) -> None:
        """One more request."""
        counts = self._by_model.get(model)
        if counts is None:
            counts = self._by_model[model] = dict.fromkeys(STATUSES, 0)
        counts[status] += 1

    def use(self, held: Mapping[str, Held]) -> list[ModelUse]:
        """Every model that was asked for or has answers, by name."""
        return [self._of(model, held.get(model, Held())) for model in sorted(held.keys() | self._by_model.keys())]

    def _of(self, model: str, held: Held) -> ModelUse:
        lookups = self._by_model.get(model) or dict.fromkeys(STATUSES, 0)
        return ModelUse(model, held.keys, held.memory_bytes, dict(lookups))
