"""``POST /v1/classify``, also as ``/classify``: how likely each label is."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.classified import Classified
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.one_shots import finished, task_request, usage_of
from podium.api.openapi import operation
from podium.core.generation import TextPrompt
from podium.core.one_shot import Input, PairPrompt
from podium.protocols.tasks import ClassifyAnswer, ClassifyRequest, LabelledInput, Pair

router = direct_router(tags=["Tasks"])
_EXAMPLE = {"input": ["I like it.", ["A man sleeps.", "Somebody is awake."]]}


async def classify(request: Request) -> Response:
    """The likeliest label of each input, and the probability of all."""
    body = await read(request, ClassifyRequest, max_depth=backend_of(request).server.limits.json_depth)
    asked = task_request(request, body, tuple(map(_input, body.input)), param="input")
    classified = await finished(request, backend_of(request).classifier.classify(asked))
    answer = ClassifyAnswer(
        id=f"classify-{asked.id}",
        created=int(time.time()),
        model=classified.computed.model,
        labels=list(classified.labels),
        multi_label=classified.multi_label,
        data=_data(classified),
        usage=usage_of(classified.computed),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))


def _input(given: str | Pair) -> Input:
    return TextPrompt(given) if isinstance(given, str) else PairPrompt(*given)


def _data(classified: Classified) -> list[LabelledInput]:
    best = classified.scores.argmax(axis=1).tolist()
    rows = classified.probabilities.tolist()
    return [
        LabelledInput(index, classified.labels[label], row, len(row))
        for index, (label, row) in enumerate(zip(best, rows, strict=True))
    ]


for path in ("/v1/classify", "/classify"):
    router.post(
        path,
        **operation("Classify texts", request=ClassifyRequest, answer=ClassifyAnswer, reserves=True, example=_EXAMPLE),
    )(classify)
