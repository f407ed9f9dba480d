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

MOST_FILLINGS = 204_800
"""Of one request: the most that it can ask for with one mask in each of 2,048 inputs."""


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

        Raises what ``OneShots.compute`` raises, and ``InvalidRequest`` for an input without a mask, for more than
        the model tells, and for more than ``MOST_FILLINGS`` of all masks.
        """

        def check(_config: Model, facts: EngineFacts) -> None:
            for position, given in enumerate(request.inputs):
                if isinstance(given, TextPrompt) and facts.mask_token not in given.text:
                    where = f"{request.param}.{position}"
                    raise InvalidRequest(f"`{where}` has no mask; write {facts.mask_token} where it is.", param=where)
            if top_k > facts.dimensions // 2:
                raise InvalidRequest(f"`top_k` may be 1 to {facts.dimensions // 2} for this model.", param="top_k")
            _check_fillings(request, facts.mask_token, top_k)

        computed = await self._one_shots.compute(request, "fill_mask", check=check)
        texts = await self._one_shots.token_texts(request, _token_ids(computed.vectors, top_k))
        masks = [[_fillings(row, top_k, texts) for row in rows] for rows in computed.by_input()]
        return Filled(computed, computed.facts.mask_token, masks)


def _check_fillings(request: OneShotRequest, mask_token: str, top_k: int) -> None:
    masks = sum(given.text.count(mask_token) for given in request.inputs if isinstance(given, TextPrompt))
    if masks * top_k > MOST_FILLINGS:
        raise InvalidRequest(
            f"The inputs have {masks} masks; {top_k} fillings of each (`top_k`) are {masks * top_k}, and at most "
            f"{MOST_FILLINGS} are told at a time. Lower `top_k`, or send fewer masks.",
            param=request.param,
        )


def _token_ids(rows: Vectors, top_k: int) -> set[int]:
    most = rows.shape[1] // 2
    return set(rows[:, most : most + top_k].astype(int).ravel().tolist())


def _fillings(row: Vectors, top_k: int, texts: dict[int, str]) -> list[Filling]:
    most = len(row) // 2
    ids = row[most : most + top_k].astype(int).tolist()
    return [Filling(number, texts[number], score) for number, score in zip(ids, row[:top_k].tolist(), strict=True)]
