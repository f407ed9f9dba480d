"""Filling masks: which tokens may stand in the place of a mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from podium.config.models import Model
from podium.core.errors import InvalidRequest
from podium.core.generation import TextPrompt
from podium.core.one_shot import OneShotRequest, Vectors
from podium.core.task_answers import Filling
from podium.engine.interface import EngineFacts
from podium.models.one_shot import Computed, OneShots


@dataclass(frozen=True)
class Filled:
    """For each input, for each of its masks in their order, the likeliest tokens."""

    computed: Computed
    mask_token: str
    masks: Sequence[Sequence[Sequence[Filling]]]


class MaskFiller:
    """Finds what may stand in the place of masks."""

    def __init__(self, one_shots: OneShots) -> None:
        self._one_shots = one_shots

    async def fill(self, request: OneShotRequest, top_k: int) -> Filled:
        """The ``top_k`` likeliest for each mask.

        Raises what ``OneShots.compute`` raises, and ``InvalidRequest`` for an input without a mask and for more than
        the model tells.
        """

        def check(_config: Model, facts: EngineFacts) -> None:
            for position, given in enumerate(request.inputs):
                if isinstance(given, TextPrompt) and facts.mask_token not in given.text:
                    where = f"{request.param}.{position}"
                    raise InvalidRequest(f"`{where}` has no mask; write {facts.mask_token} where it is.", param=where)
            if top_k > facts.dimensions // 2:
                raise InvalidRequest(f"`top_k` may be 1 to {facts.dimensions // 2} for this model.", param="top_k")

        computed = await self._one_shots.compute(request, "fill_mask", check=check)
        texts = await self._one_shots.token_texts(request, _token_ids(computed.vectors, top_k))
        masks = [[_fillings(row, top_k, texts) for row in rows] for rows in computed.by_input()]
        return Filled(computed, computed.facts.mask_token, masks)


def _token_ids(rows: Vectors, top_k: int) -> set[int]:
    most = rows.shape[1] // 2
    return set(rows[:, most : most + top_k].astype(int).ravel().tolist())


def _fillings(row: Vectors, top_k: int, texts: dict[int, str]) -> list[Filling]:
    most = len(row) // 2
    ids = row[most : most + top_k].astype(int).tolist()
    return [Filling(number, texts[number], score) for number, score in zip(ids, row[:top_k].tolist(), strict=True)]
