"""``POST /v1/chat/completions``."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import run, start
from podium.api.body import read
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openai import translate
from podium.api.openai.events import ChatEvents
from podium.api.openapi import operation
from podium.api.streaming import EventStream
from podium.core.generation import GenerationRequest
from podium.core.ids import new_id
from podium.protocols.openai import ChatCompletionRequest
from podium.protocols.openai_answers import ChatCompletion, UsageBody

router = direct_router(tags=["OpenAI"])

STREAM = (
    "`data:` events with `chat.completion.chunk` objects; the role and the first text come in one event. Then, if "
    "asked for, a chunk with the usage, then `data: [DONE]`. A call of a tool comes as its name, then its arguments in "
    "pieces. "
    "A failure after the first byte is an event with `error`."
)


@router.post(
    "/v1/chat/completions",
    **operation(
        "Complete a chat",
        request=ChatCompletionRequest,
        answer=ChatCompletion,
        generates=True,
        stream=STREAM,
        example={"messages": [{"role": "user", "content": "Name three trees."}], "max_tokens": 40},
    ),
)
async def chat_completions(request: Request) -> Response:
    """Answers when the first token is there (streaming) or the last one (not streaming)."""
    backend = backend_of(request)
    body = await read(request, ChatCompletionRequest, max_depth=backend.server.limits.json_depth)
    include_usage, continuous_usage = translate.stream_flags(body)
    asked = _generation_request(request, body)
    answer_id, created = new_id("chatcmpl"), int(time.time())
    if not body.stream:
        whole = await run(request, backend.dispatcher, asked)
        choices = [translate.chat_choice(choice) for choice in whole.choices]
        answer = ChatCompletion(
            id=answer_id, created=created, model=asked.model, choices=choices, usage=UsageBody.of(whole.usage)
        )
        return JsonAnswer(answer, headers=ignored_headers(request))
    generations = await start(request, backend.dispatcher, [asked])
    events = ChatEvents(answer_id, created, asked.model, include_usage=include_usage, continuous_usage=continuous_usage)
    return EventStream(
        generations,
        events,
        choices=asked.sampling.n,
        headers=ignored_headers(request),
    )


def _generation_request(request: Request, body: ChatCompletionRequest) -> GenerationRequest:
    limits = backend_of(request).server.limits
    prompt = translate.chat_prompt(body, limits)
    sampling = translate.chat_sampling(body, limits)
    (asked,) = call_of(request, body, body.model).requests([prompt], sampling)
    return asked
