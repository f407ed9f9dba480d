"""``POST /v1/zero-shot-classification``: which of the caller's labels fit a text."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import check_pairs, finished, task_request, usage_of
from podium.api.openapi import operation
from podium.core.generation import TextPrompt
from podium.protocols.text_tasks import FittingLabels, ZeroShotAnswer, ZeroShotRequest

router = direct_router(tags=["Tasks"])
_EXAMPLE = {"input": "The match ended two to one.", "candidate_labels": ["sport", "money", "weather"]}


@router.post(
    "/v1/zero-shot-classification",
    **operation(
        "Label texts by labels of your own",
        request=ZeroShotRequest,
        answer=ZeroShotAnswer,
        reserves=True,
        example=_EXAMPLE,
    ),
)
async def zero_shot(request: Request) -> Response:
    """For each input the labels, the best first."""
    backend = backend_of(request)
    body = await read(request, ZeroShotRequest, max_depth=backend.server.limits.json_depth)
    check_pairs(len(body.input), len(body.candidate_labels))
    asked = task_request(request, body, tuple(map(TextPrompt, body.input)), param="input")
    labelled = await finished(
        request,
        backend.text_tasks.zero_shot.label(
            asked, body.candidate_labels, body.hypothesis_template, multi_label=body.multi_label
        ),
    )
    answer = ZeroShotAnswer(
        id=f"zero-shot-{asked.id}",
        created=int(time.time()),
        model=labelled.computed.model,
        multi_label=body.multi_label,
        data=[
            FittingLabels(index, [one.label for one in row], [one.score for one in row])
            for index, row in enumerate(labelled.labels)
        ],
        usage=usage_of(labelled.computed),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))
