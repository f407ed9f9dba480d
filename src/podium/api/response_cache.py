"""The response cache, as the HTTP surface needs it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from podium.core.standing import CacheStatus


class CacheUse(Protocol):
    """What the response cache holds and did, for one model or for all."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def keys(self) -> int:
        """Answers kept by this process, or by the shared store where it tells."""

    @property
    def memory_bytes(self) -> int:
        """Their size."""

    @property
    def lookups(self) -> Mapping[CacheStatus, int]:
        """Requests so far by what came of them."""


class ResponseCache(Protocol):
    """Looking into the response cache, and emptying it."""

    async def use(self) -> Sequence[CacheUse]:
        """By model."""

    async def clear(self, *, model: str | None = None, tenant: str | None = None) -> int:
        """Forget answers (all, or those of one model or tenant), on every replica; how many."""
