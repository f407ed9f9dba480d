"""``POST /v1/completions``."""

from __future__ import annotations

import time
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import Whole, run_all, start
from podium.api.body import read
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openai import translate
from podium.api.openai.events import CompletionEvents
from podium.api.openapi import operation
from podium.api.streaming import EventStream
from podium.core.generation import GenerationRequest, Usage
from podium.core.ids import new_id
from podium.protocols.openai import CompletionRequest
from podium.protocols.openai_answers import Completion, UsageBody

router = direct_router(tags=["OpenAI"])

_STREAM = (
    "`data:` events with `text_completion` objects, then, if asked for, one with the usage, then `data: [DONE]`. "
    "A failure after the first byte is an event with `error`."
)


@router.post(
    "/v1/completions",
    **operation(
        "Complete text",
        request=CompletionRequest,
        answer=Completion,
        generates=True,
        stream=_STREAM,
        example={"prompt": "The sea was", "max_tokens": 20, "temperature": 0},
    ),
)
async def completions(request: Request) -> Response:
    """Several prompts run together; if one fails, the others are aborted and the call fails."""
    backend = backend_of(request)
    body = await read(request, CompletionRequest, max_depth=backend.server.limits.json_depth)
    include_usage, continuous_usage = translate.stream_flags(body)
    asked = _generation_requests(request, body)
    n = asked[0].sampling.n
    answer_id, created, model = new_id("cmpl"), int(time.time()), asked[0].model
    if not body.stream:
        wholes = await run_all(request, backend.dispatcher, asked)
        return JsonAnswer(_completion(answer_id, created, model, n, wholes), headers=ignored_headers(request))
    generations = await start(request, backend.dispatcher, asked)
    events = CompletionEvents(
        answer_id, created, model, choices=n, include_usage=include_usage, continuous_usage=continuous_usage
    )
    return EventStream(
        generations,
        events,
        choices=n,
        headers=ignored_headers(request),
    )


def _generation_requests(request: Request, body: CompletionRequest) -> list[GenerationRequest]:
    limits = backend_of(request).server.limits
    sampling = translate.completion_sampling(body, limits)
    return call_of(request, body, body.model).requests(translate.completion_prompts(body, limits), sampling)


def _completion(answer_id: str, created: int, model: str, n: int, wholes: Sequence[Whole]) -> Completion:
    choices = [
        translate.completion_choice(choice, number * n + choice.index)
        for number, whole in enumerate(wholes)
        for choice in whole.choices
    ]
    usage = UsageBody.of(Usage.total(whole.usage for whole in wholes))
    return Completion(id=answer_id, created=created, model=model, choices=choices, usage=usage)
