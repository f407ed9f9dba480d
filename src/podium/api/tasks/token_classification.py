"""``POST /v1/token-classification``: which pieces of a text are what."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.found import found_entities
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import finished, task_request, usage_of
from podium.api.openapi import operation
from podium.core.generation import TextPrompt
from podium.protocols.text_tasks import (
    TaggedInput,
    TokenClassificationAnswer,
    TokenClassificationRequest,
)

router = direct_router(tags=["Tasks"])
_EXAMPLE = {"input": "Anna lives in Lisbon.", "aggregation_strategy": "simple"}


@router.post(
    "/v1/token-classification",
    **operation(
        "Find entities",
        request=TokenClassificationRequest,
        answer=TokenClassificationAnswer,
        reserves=True,
        example=_EXAMPLE,
    ),
)
async def token_classification(request: Request) -> Response:
    """The entities of each input, in the order of their places."""
    backend = backend_of(request)
    body = await read(request, TokenClassificationRequest, max_depth=backend.server.limits.json_depth)
    asked = task_request(request, body, tuple(map(TextPrompt, body.input)), param="input")
    grouped = body.aggregation_strategy != "none"
    tagged = await finished(
        request,
        backend.text_tasks.token_classifier.tag(asked, body.aggregation_strategy, frozenset(body.ignore_labels)),
    )
    found = found_entities(body.input, tagged.entities, grouped=grouped)
    answer = TokenClassificationAnswer(
        id=f"tokens-{asked.id}",
        created=int(time.time()),
        model=tagged.computed.model,
        labels=list(tagged.labels),
        data=[TaggedInput(index, entities) for index, entities in enumerate(found)],
        usage=usage_of(tagged.computed),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))
