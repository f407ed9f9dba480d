"""``…/generate`` and ``…/generate_stream`` of text-generation-inference, and the same at a model's own address."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import run, start
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.hugging_face import translate
from podium.api.hugging_face.address import model_at, name_of
from podium.api.hugging_face.events import TokenEvents
from podium.api.hugging_face.members import read_members
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openapi import operation
from podium.api.streaming import EventStream
from podium.core.generation import GenerationRequest, TextPrompt
from podium.protocols.sampling import SamplingMembers
from podium.protocols.text_generation_inference import HfGenerated, HfGenerateRequest, HfStreamed

router = direct_router(tags=["Hugging Face"])

EXAMPLE = {"inputs": "The sea was", "parameters": {"max_new_tokens": 20}}
STREAM = (
    "`data:` events, one for each token; the last one has the whole text and its details. A failure after the first "
    "byte is an event with `error` and `error_type`."
)


@router.post(
    "/hf/{model_name:path}/generate",
    **operation("Generate text", request=HfGenerateRequest, answer=HfGenerated, generates=True, example=EXAMPLE),
)
async def generate(request: Request, model_name: str) -> Response:
    """The whole text."""
    body = await read_members(request, HfGenerateRequest)
    return JsonAnswer(await whole(request, model_name, body), headers=ignored_headers(request))


@router.post(
    "/hf/{model_name:path}/generate_stream",
    **operation(
        "Stream text", request=HfGenerateRequest, answer=HfStreamed, generates=True, stream=STREAM, example=EXAMPLE
    ),
)
async def generate_stream(request: Request, model_name: str) -> Response:
    """The text as it comes, a token at a time."""
    body = await read_members(request, HfGenerateRequest)
    return await stream(request, model_name, body)


async def at_address(request: Request, model_name: str) -> Response:
    """Either, as the body's ``stream`` says; a whole text comes as a list of one."""
    body = await read_members(request, HfGenerateRequest)
    if body.stream:
        return await stream(request, model_name, body)
    return JsonAnswer([await whole(request, model_name, body)], headers=ignored_headers(request))


async def whole(request: Request, model_name: str, body: HfGenerateRequest) -> HfGenerated:
    """Generate to the end."""
    asked = _asked(request, model_name, body, tokens=bool(body.parameters.details))
    found = (await run(request, backend_of(request).dispatcher, asked)).choices[0]
    details = translate.details_of(found, body.parameters.seed) if body.parameters.details else None
    return HfGenerated(_prefix(body) + found.text, details)


async def stream(request: Request, model_name: str, body: HfGenerateRequest) -> Response:
    """Generate as events."""
    backend = backend_of(request)
    asked = _asked(request, model_name, body, tokens=True)
    generations = await start(request, backend.dispatcher, [asked])
    return EventStream(
        generations,
        TokenEvents(_prefix(body), body.parameters.seed),
        choices=1,
        headers=ignored_headers(request),
    )


def _prefix(body: HfGenerateRequest) -> str:
    return body.inputs if body.parameters.return_full_text else ""


def _asked(request: Request, model_name: str, body: HfGenerateRequest, *, tokens: bool) -> GenerationRequest:
    sampling = translate.sampling(body.parameters, backend_of(request).server.limits, tokens=tokens)
    call = call_of(request, SamplingMembers(), name_of(model_at(request, model_name)))
    (asked,) = call.requests([TextPrompt(body.inputs)], sampling)
    return asked
