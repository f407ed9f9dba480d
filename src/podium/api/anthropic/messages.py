"""``POST /v1/messages`` and ``POST /v1/messages/count_tokens``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import run, start
from podium.api.anthropic import translate
from podium.api.anthropic.events import MessageEvents
from podium.api.body import read
from podium.api.cache_control import cache_control
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.idempotency import idempotency_key
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.record import record_of
from podium.api.sampling import timeout_seconds
from podium.api.streaming import EventStream
from podium.core.generation import GenerationRequest
from podium.core.ids import new_id
from podium.protocols.anthropic import CountTokensRequest, MessageAnswer, MessagesRequest, TokenCount

router = direct_router(tags=["Anthropic"])

_STREAM = (
    "Named events: `message_start`; for the text and for each call of a tool `content_block_start`, a "
    "`content_block_delta` for each piece, `content_block_stop`; then `message_delta` with the reason and the usage, "
    "`message_stop`. A failure after the first byte is an `error` event, and none of the last three follows."
)
_TURNS = [{"role": "user", "content": "Name three trees."}]


@router.post(
    "/v1/messages",
    **operation(
        "Answer a conversation",
        request=MessagesRequest,
        answer=MessageAnswer,
        generates=True,
        stream=_STREAM,
        example={"messages": _TURNS, "max_tokens": 40},
    ),
)
async def messages(request: Request) -> Response:
    """Answers when the first token is there (streaming) or the last one (not streaming)."""
    backend = backend_of(request)
    limits = backend.server.limits
    body = await read(request, MessagesRequest, max_depth=limits.json_depth)
    asked = _generation_request(request, body)
    headers = ignored_headers(request)
    message_id = new_id("msg")
    if not body.stream:
        whole = await run(request, backend.dispatcher, asked)
        (choice,) = whole.choices
        reason, sequence = translate.stop_of(choice.finish_reason, choice.stop_reason)
        answer = MessageAnswer(
            id=message_id,
            model=asked.model,
            content=translate.blocks_of(choice),
            stop_reason=reason,
            stop_sequence=sequence,
            usage=translate.usage_of(whole.usage),
        )
        return JsonAnswer(answer, headers=headers)
    generations = await start(request, backend.dispatcher, [asked])
    return EventStream(
        generations,
        MessageEvents(asked.id, message_id, asked.model),
        choices=1,
        headers=headers,
    )


@router.post(
    "/v1/messages/count_tokens",
    **operation(
        "Count a conversation's tokens", request=CountTokensRequest, answer=TokenCount, example={"messages": _TURNS}
    ),
)
async def count_tokens(request: Request) -> Response:
    """The tokens that the conversation would have as a prompt of ``/v1/messages``."""
    backend = backend_of(request)
    body = await read(request, CountTokensRequest, max_depth=backend.server.limits.json_depth)
    tokens = await backend.dispatcher.tokenize(
        principal_of(request.scope),
        backend.model_name(body.model),
        translate.chat_prompt(body, backend.server.limits),
    )
    return JsonAnswer(TokenCount(len(tokens.token_ids)), headers=ignored_headers(request))


def _generation_request(request: Request, body: MessagesRequest) -> GenerationRequest:
    backend = backend_of(request)
    return GenerationRequest(
        id=record_of(request.scope).request_id,
        model=backend.model_name(body.model),
        prompt=translate.chat_prompt(body, backend.server.limits),
        sampling=translate.sampling(body, backend.server.limits),
        timeout_seconds=timeout_seconds(request, None),
        caller=principal_of(request.scope),
        cache=cache_control(request, None),
        idempotency_key=idempotency_key(request),
    )
