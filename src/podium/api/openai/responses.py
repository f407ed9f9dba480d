"""``POST /v1/responses``. Nothing is stored: the whole conversation comes with each request."""

from __future__ import annotations

import time

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import run, start
from podium.api.body import read
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openai import responses_translate as translate
from podium.api.openai.responses_events import ResponseEvents
from podium.api.openapi import operation
from podium.api.streaming import EventStream
from podium.core.ids import new_id
from podium.protocols.responses import ResponseObject, ResponsesRequest, ResponseUsage

router = direct_router(tags=["OpenAI"])

_STREAM = (
    "Typed events, numbered: `response.created`, `response.in_progress`; for each item `response.output_item.added`, "
    "its deltas and `response.output_item.done`; then `response.completed` or `response.incomplete`. A failure after "
    "the first byte is `response.failed` and an `error` event. There is no `[DONE]`."
)


@router.post(
    "/v1/responses",
    **operation(
        "Respond",
        request=ResponsesRequest,
        answer=ResponseObject,
        generates=True,
        stream=_STREAM,
        example={"input": "Name three trees.", "max_output_tokens": 40},
    ),
)
async def responses(request: Request) -> Response:
    """Answers when the first token is there (streaming) or the last one (not streaming)."""
    backend = backend_of(request)
    limits = backend.server.limits
    body = await read(request, ResponsesRequest, max_depth=limits.json_depth)
    headers = ignored_headers(request)
    prompt = translate.chat_prompt(body, limits)
    (asked,) = call_of(request, body, body.model).requests([prompt], translate.sampling(body, limits, prompt))
    opened = translate.opened(body, new_id("resp"), int(time.time()), asked.model)
    if not body.stream:
        whole = await run(request, backend.dispatcher, asked)
        answer = translate.finished(opened, whole.choices[0])
        return JsonAnswer(msgspec.structs.replace(answer, usage=ResponseUsage.of(whole.usage)), headers=headers)
    generations = await start(request, backend.dispatcher, [asked])
    return EventStream(
        generations,
        ResponseEvents(opened),
        choices=1,
        headers=headers,
    )
