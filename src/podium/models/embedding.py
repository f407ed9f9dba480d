"""Embedding: vectors of texts, in the dimensions that were asked for."""

from __future__ import annotations

from dataclasses import replace

from podium.config.models import Model
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.core.one_shot import OneShotRequest
from podium.engine.interface import EngineFacts
from podium.engine.pooling import normalized
from podium.models.one_shot import Computed, OneShots


class Embedder:
    """Turns texts into vectors."""

    def __init__(self, one_shots: OneShots) -> None:
        self._one_shots = one_shots

    async def embed(self, request: OneShotRequest, *, dimensions: int | None = None) -> Computed:
        """A vector for each input; ``dimensions`` None is all of the model's.

        Raises what ``OneShots.compute`` raises, and ``UnsupportedParameter`` for fewer dimensions where they mean
        nothing.
        """

        def check(config: Model, facts: EngineFacts) -> None:
            _check_dimensions(dimensions, facts.dimensions, truncatable=config.embedding.truncatable)

        computed = await self._one_shots.compute(request, "embed", check=check)
        if dimensions is None or dimensions == computed.vectors.shape[1]:
            return computed
        return replace(computed, vectors=normalized(computed.vectors[:, :dimensions]))


def _check_dimensions(wanted: int | None, there: int, *, truncatable: bool) -> None:
    if wanted is None or wanted == there:
        return
    if not truncatable:
        raise UnsupportedParameter(
            f"This model's vectors have {there} dimensions and may not be cut: it was not trained for that, or "
            "models[].embedding.truncatable does not say so. Leave `dimensions` out.",
            param="dimensions",
        )
    if wanted > there:
        raise InvalidRequest(f"This model's vectors have {there} dimensions; ask for 1 to {there}.", param="dimensions")
