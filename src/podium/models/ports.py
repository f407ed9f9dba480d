"""What a request's way through the models needs of quotas and of kept answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from podium.cache.entry import Entry
from podium.cache.key import CacheKey
from podium.core.generation import GenerationRequest
from podium.core.identity import Principal
from podium.core.standing import CacheStatus, Standing


class Lease(Protocol):
    """What one request has reserved of its caller's quotas."""

    @property
    def standings(self) -> Sequence[Standing]:
        """The caller's quotas after the reservation."""

    def note(self, prompt_tokens: int, output_tokens: int) -> None:
        """Progress so far: what counts if this process dies."""

    def settle(self, prompt_tokens: int, output_tokens: int) -> None:
        """The request is over and used this much; once, never waits."""


class Quotas(Protocol):
    """Reserves before admission."""

    def counts_tokens(self, caller: Principal, model: str) -> bool:
        """Whether a reservation needs to know tokens."""

    def refuse_used_up(self, caller: Principal, model: str, *, prompt_tokens: int) -> None:
        """Raises ``RateLimited`` where ``reserve`` surely would for this many tokens and more. Takes nothing."""

    async def reserve(
        self, caller: Principal, model: str, *, request_id: str, prompt_tokens: int, output_tokens: int
    ) -> Lease:
        """Room for a computation of at most this many tokens. Raises ``RateLimited``."""

    async def reserve_hit(self, caller: Principal, model: str, *, request_id: str) -> Lease:
        """Room for a request that is answered without computing. Raises ``RateLimited``."""


class KeptAnswers(Protocol):
    """The response cache."""

    def cacheable(self, request: GenerationRequest) -> bool:
        """Whether the answer may be kept and shared."""

    async def lookup(self, request: GenerationRequest, key: CacheKey) -> Entry | None:
        """A kept answer that the request accepts. Never raises."""

    def keep(self, key: CacheKey, entry: Entry, *, ttl_seconds: float) -> None:
        """Keep an answer; never waits, never raises."""

    async def claim(self, key: CacheKey) -> bool:
        """Whether this replica may compute the answer of an idempotency key; it may until ``release`` or its end."""

    def release(self, key: CacheKey) -> None:
        """Give a claim back: there is no answer. Never waits, never raises."""

    def count(self, model: str, status: CacheStatus) -> None:
        """One more request, and what came of it."""
