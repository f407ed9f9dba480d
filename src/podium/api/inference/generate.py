"""Triton's ``POST /v2/models/{model}/generate`` and ``…/generate_stream``."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import run, start
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.errors import body_of
from podium.api.inference.body import read_members
from podium.api.inference.metadata import find
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openapi import operation
from podium.api.record import record_of
from podium.api.sampling import sampling_params
from podium.api.streaming import EventStream
from podium.core.errors import PodiumError, UnsupportedParameter
from podium.core.generation import Chunk, GenerationRequest, TextPrompt, Usage
from podium.protocols.inference import InferGenerated, InferGenerateRequest

router = direct_router(tags=["Open Inference Protocol"])

_EXAMPLE = {"text_input": "The sea was", "parameters": {"max_tokens": 20}}
_STREAM = "`data:` events with a piece of `text_output` each. A failure after the first byte is an event with `error`."


@router.post(
    "/v2/models/{model_name:path}/generate",
    **operation("Generate text", request=InferGenerateRequest, answer=InferGenerated, generates=True, example=_EXAMPLE),
)
async def generate(request: Request, model_name: str) -> Response:
    """The whole text."""
    asked, body = await _asked(request, model_name)
    whole = await run(request, backend_of(request).dispatcher, asked)
    version = record_of(request.scope).version
    answer = InferGenerated(whole.model, version, whole.choices[0].text, body.id)
    return JsonAnswer(answer, headers=ignored_headers(request))


@router.post(
    "/v2/models/{model_name:path}/generate_stream",
    **operation(
        "Stream text",
        request=InferGenerateRequest,
        answer=InferGenerated,
        generates=True,
        stream=_STREAM,
        example=_EXAMPLE,
    ),
)
async def generate_stream(request: Request, model_name: str) -> Response:
    """The text as it comes. The last event has no text of its own where the last token has none."""
    asked, body = await _asked(request, model_name)
    backend = backend_of(request)
    generations = await start(request, backend.dispatcher, [asked])
    events = _Pieces(generations[0].model, generations[0].version, body.id)
    return EventStream(
        generations,
        events,
        choices=1,
        headers=ignored_headers(request),
    )


async def _asked(request: Request, model_name: str) -> tuple[GenerationRequest, InferGenerateRequest]:
    body = await read_members(request, InferGenerateRequest)
    status = find(request, model_name)
    if (body.n or 1) > 1:
        raise UnsupportedParameter("`n` must be 1 here.", param="n")
    sampling = sampling_params(body, backend_of(request).server.limits, max_tokens=body.max_tokens)
    call = call_of(request, body, f"{status.name}@{status.version}")
    (asked,) = call.requests([TextPrompt(body.text_input)], sampling)
    return asked, body


class _Pieces:
    """Events of one text."""

    def __init__(self, model: str, version: str, given_id: str | None) -> None:
        self._model = model
        self._version = version
        self._id = given_id

    def event(self, prompt: int, chunk: Chunk) -> bytes:  # noqa: ARG002 - one prompt only
        """An event with the piece's text; nothing for a piece without any."""
        return self._event(chunk.text) if chunk.text else b""

    def closing(self, usage: Usage) -> Iterator[bytes]:  # noqa: ARG002 - the protocol has no place for it
        """An event without text: the protocol has no other end, and a stream that broke has none."""
        yield self._event("")

    def failure(self, error: PodiumError) -> Iterator[bytes]:
        """An event with the error."""
        yield b"data: " + body_of(error, "inference", "") + b"\n\n"

    def _event(self, text: str) -> bytes:
        return b"data: " + msgspec.json.encode(InferGenerated(self._model, self._version, text, self._id)) + b"\n\n"
