"""``POST /v1/fill-mask``: which tokens may stand in the place of a mask."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import finished, task_request, usage_of
from podium.api.openapi import operation
from podium.core.generation import TextPrompt
from podium.core.task_answers import Filling
from podium.protocols.text_tasks import FilledInput, FillMaskAnswer, FillMaskRequest, MaskFilling

router = direct_router(tags=["Tasks"])
_EXAMPLE = {"input": "The sea was [MASK].", "top_k": 3}


@router.post(
    "/v1/fill-mask",
    **operation("Fill masks", request=FillMaskRequest, answer=FillMaskAnswer, reserves=True, example=_EXAMPLE),
)
async def fill_mask(request: Request) -> Response:
    """For each input, for each of its masks in their order, the likeliest tokens."""
    backend = backend_of(request)
    body = await read(request, FillMaskRequest, max_depth=backend.server.limits.json_depth)
    asked = task_request(request, body, tuple(map(TextPrompt, body.input)), param="input")
    filled = await finished(request, backend.text_tasks.mask_filler.fill(asked, body.top_k))
    answer = FillMaskAnswer(
        id=f"fill-mask-{asked.id}",
        created=int(time.time()),
        model=filled.computed.model,
        mask_token=filled.mask_token,
        data=[
            FilledInput(index, [[_filling(one) for one in mask] for mask in masks])
            for index, masks in enumerate(filled.masks)
        ],
        usage=usage_of(filled.computed),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))


def _filling(filling: Filling) -> MaskFilling:
    return MaskFilling(filling.score, filling.token_id, filling.text)
