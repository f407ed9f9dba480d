"""What a one-shot model computes for a request, as the HTTP surface needs it."""

from __future__ import annotations

from typing import Protocol

from podium.api.provenance import Provenance
from podium.core.one_shot import OneShotRequest, Vectors


class Embedded(Provenance, Protocol):
    """Vectors, and who computed them."""

    @property
    def vectors(self) -> Vectors:
        """One row for each input, in order."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all inputs."""


class Embedder(Protocol):
    """Takes embedding requests to models."""

    async def embed(self, request: OneShotRequest, *, dimensions: int | None = None) -> Embedded:
        """All vectors, or an error; cancelling the wait takes the rest out of the batch."""
