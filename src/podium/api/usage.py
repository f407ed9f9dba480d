"""Who used what, as the HTTP surface needs to know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class UsageRow(Protocol):
    """Use of one tenant, key and model."""

    @property
    def tenant(self) -> str:
        """Tenant."""

    @property
    def key_id(self) -> str:
        """Id of the key, never the key."""

    @property
    def model(self) -> str:
        """Name of the model."""

    @property
    def requests(self) -> int:
        """Requests that ended."""

    @property
    def prompt_tokens(self) -> int:
        """Computed prompt tokens."""

    @property
    def output_tokens(self) -> int:
        """Computed output tokens."""

    @property
    def cached_requests(self) -> int:
        """Requests answered from the response cache; their tokens are not in the two counts above."""

    @property
    def cost(self) -> float:
        """Money, by the price table."""


class Usage(Protocol):
    """Who used what."""

    async def usage(
        self, *, since_seconds: float, tenant: str | None = None, key_id: str | None = None
    ) -> Sequence[UsageRow]:
        """Use in the last ``since_seconds``, of all or of one tenant or key."""
