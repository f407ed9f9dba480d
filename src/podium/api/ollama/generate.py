"""``POST /api/generate`` and ``POST /api/chat``: lines of JSON, unless ``stream`` is false."""

from __future__ import annotations

import time

from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import run, start
from podium.api.backend import Backend
from podium.api.body import read
from podium.api.cache_control import cache_control
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.idempotency import idempotency_key
from podium.api.json_answer import ignored_headers
from podium.api.ollama import translate
from podium.api.ollama.lines import Lines, message_piece, response_piece
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.record import record_of
from podium.api.sampling import timeout_seconds
from podium.api.streaming import EventStream
from podium.api.visible_models import find_model
from podium.core.errors import ModelNotReady
from podium.core.generation import GenerationRequest, Prompt
from podium.protocols.ollama import OllamaChatRequest, OllamaGenerateRequest, OllamaLine

router = direct_router(tags=["Ollama"])

_STREAM = (
    "Lines of JSON (`application/x-ndjson`), each with a piece of text; the last one has `done: true` and the counts. "
    "A failure after the first byte is a line with `error`, and none with `done: true` follows."
)
_MEDIA = "application/x-ndjson"


@router.post(
    "/api/generate",
    **operation(
        "Continue a text",
        request=OllamaGenerateRequest,
        answer=OllamaLine,
        generates=True,
        stream=_STREAM,
        example={"model": "demo", "prompt": "Name three trees.", "stream": False},
    ),
)
async def generate(request: Request) -> Response:
    """Streams by default. An empty prompt asks whether the model is loaded."""
    arrived = time.monotonic()
    backend = backend_of(request)
    body = await read(request, OllamaGenerateRequest, max_depth=backend.server.limits.json_depth)
    name = translate.model_name(body.model)
    lines = Lines(body.model, response_piece, arrived=arrived)
    if not body.prompt:
        return _loaded(request, backend, name, lines)
    facts = backend.dispatcher.tokenizer_facts(principal_of(request.scope), name)
    prompt = translate.generate_prompt(body, has_template=facts.chat_template is not None)
    return await _answer(request, body, prompt, lines)


@router.post(
    "/api/chat",
    **operation(
        "Answer a conversation",
        request=OllamaChatRequest,
        answer=OllamaLine,
        generates=True,
        stream=_STREAM,
        example={"model": "demo", "messages": [{"role": "user", "content": "Name three trees."}], "stream": False},
    ),
)
async def chat(request: Request) -> Response:
    """Streams by default. No messages ask whether the model is loaded."""
    arrived = time.monotonic()
    backend = backend_of(request)
    body = await read(request, OllamaChatRequest, max_depth=backend.server.limits.json_depth)
    lines = Lines(body.model, message_piece, arrived=arrived)
    if not body.messages:
        return _loaded(request, backend, translate.model_name(body.model), lines)
    return await _answer(request, body, translate.chat_prompt(body, backend.server.limits), lines)


async def _answer(
    request: Request, body: OllamaGenerateRequest | OllamaChatRequest, prompt: Prompt, lines: Lines
) -> Response:
    backend = backend_of(request)
    limits = backend.server.limits
    asked = GenerationRequest(
        id=record_of(request.scope).request_id,
        model=translate.model_name(body.model),
        prompt=prompt,
        sampling=translate.sampling(body, limits),
        timeout_seconds=timeout_seconds(request, None),
        caller=principal_of(request.scope),
        cache=cache_control(request, None),
        idempotency_key=idempotency_key(request),
    )
    if body.stream is False:
        whole = await run(request, backend.dispatcher, asked)
        (choice,) = whole.choices
        return _json(request, lines.whole(choice.text, choice.finish_reason, whole.usage, choice.calls))
    generations = await start(request, backend.dispatcher, [asked])
    return EventStream(
        generations,
        lines,
        choices=1,
        headers={"content-type": _MEDIA, **ignored_headers(request)},
    )


def _loaded(request: Request, backend: Backend, name: str, lines: Lines) -> Response:
    status = find_model(backend, principal_of(request.scope), name)
    if str(status.state) != "ready":
        raise ModelNotReady(f"The model is {status.state}. POST /models/{{name}}/load loads it.", param="model")
    return _json(request, lines.loaded())


def _json(request: Request, body: bytes) -> Response:
    return Response(body, media_type="application/json", headers=ignored_headers(request))
