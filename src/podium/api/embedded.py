"""What a one-shot model computes for a request, as the HTTP surface needs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from podium.core.one_shot import OneShotRequest, Vectors
from podium.core.standing import Standing


class Embedded(Protocol):
    """Vectors, and who computed them."""

    @property
    def model(self) -> str:
        """Name of the model, resolved from an alias."""

    @property
    def version(self) -> str:
        """Version of the model."""

    @property
    def engine(self) -> str:
        """Engine kind."""

    @property
    def vectors(self) -> Vectors:
        """One row for each input, in order."""

    @property
    def prompt_tokens(self) -> int:
        """Tokens of all inputs."""

    @property
    def standings(self) -> Sequence[Standing]:
        """The caller's quotas after this request was admitted; empty where none apply."""


class Embedder(Protocol):
    """Takes embedding requests to models."""

    async def embed(self, request: OneShotRequest, *, dimensions: int | None = None) -> Embedded:
        """All vectors, or an error; cancelling the wait takes the rest out of the batch."""
