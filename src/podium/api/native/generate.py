"""``POST /generate`` and ``POST /batch_generate``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import Whole, check_prompt_count, run, run_each, start
from podium.api.body import read
from podium.api.call import call_of
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.errors import native_answer
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.native import translate
from podium.api.native.events import GenerateEvents
from podium.api.openapi import operation
from podium.api.record import RequestRecord, record_of
from podium.api.streaming import EventStream
from podium.api.visible_models import find_model
from podium.core.errors import PodiumError
from podium.core.generation import GenerationRequest, TextPrompt, Usage
from podium.protocols.native import (
    BatchAnswer,
    BatchGenerateRequest,
    BatchItem,
    GenerateAnswer,
    GenerateRequest,
    NativeMembers,
    UsageBody,
)

router = direct_router(tags=["Native"])

_STREAM = (
    "Events named `token` with contiguous ids `<request>:<index>` and data `{choice, text, token_count}`; the last one "
    "of a choice has `finish_reason`. Then one event `done` with the token count, the SHA-256 of all text bytes and "
    "the usage. A failure is one event `error`, and no `done` follows."
)


@router.post(
    "/generate",
    **operation(
        "Continue a text",
        request=GenerateRequest,
        answer=GenerateAnswer,
        generates=True,
        stream=_STREAM,
        example={"prompt": "The sea was", "max_new_tokens": 20, "do_sample": False},
    ),
)
async def generate(request: Request) -> Response:
    """``generated_text`` is the new text only, unless ``return_full_text``."""
    backend = backend_of(request)
    body = await read(request, GenerateRequest, max_depth=backend.server.limits.json_depth)
    translate.check_prompt(body.prompt)
    record = record_of(request.scope)
    (asked,) = _generation_requests(request, body, (body.prompt,))
    prefix = body.prompt if body.return_full_text else ""
    if not body.stream:
        whole = await run(request, backend.dispatcher, asked)
        return JsonAnswer(_answer(whole, prefix, record), headers=ignored_headers(request))
    generations = await start(request, backend.dispatcher, [asked])
    return EventStream(
        generations,
        GenerateEvents(record.request_id, generations[0].model, prefix),
        choices=asked.sampling.n,
        headers=ignored_headers(request),
    )


@router.post(
    "/batch_generate",
    **operation(
        "Continue several texts",
        request=BatchGenerateRequest,
        answer=BatchAnswer,
        generates=True,
        example={"prompts": ["The sea was", "A tree is"], "max_new_tokens": 20},
    ),
)
async def batch_generate(request: Request) -> Response:
    """Every prompt joins the running batch and ends with its own result or its own error."""
    backend = backend_of(request)
    body = await read(request, BatchGenerateRequest, max_depth=backend.server.limits.json_depth)
    check_prompt_count(len(body.prompts), backend.server.limits.prompts, "prompts")
    record = record_of(request.scope)
    asked = _generation_requests(request, body, body.prompts)
    find_model(backend, asked[0].caller, asked[0].model)
    results = await run_each(request, backend.dispatcher, asked)
    items = [
        _item(prompt, result, body.return_full_text, record)
        for prompt, result in zip(body.prompts, results, strict=True)
    ]
    wholes = [result for result in results if isinstance(result, Whole)]
    answer = BatchAnswer(
        model=wholes[0].model if wholes else asked[0].model,
        results=items,
        batch_size=len(items),
        processing_time=record.seconds_so_far(),
        usage=UsageBody.of(Usage.total(whole.usage for whole in wholes)),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))


def _generation_requests(request: Request, body: NativeMembers, prompts: tuple[str, ...]) -> list[GenerationRequest]:
    params = translate.sampling(body, backend_of(request).server.limits)
    return call_of(request, body, body.model).requests([TextPrompt(prompt) for prompt in prompts], params)


def _answer(whole: Whole, prefix: str, record: RequestRecord) -> GenerateAnswer:
    first = whole.choices[0]
    return GenerateAnswer(
        generated_text=prefix + first.text,
        input_length=whole.usage.prompt_tokens,
        output_length=first.token_count,
        model=whole.model,
        cached=whole.cached,
        processing_time=record.seconds_so_far(),
        finish_reason=first.finish_reason or "stop",
        usage=UsageBody.of(whole.usage),
        stop_reason=first.stop_reason,
        logprobs=translate.logprobs_of(first),
        choices=translate.choices_of(whole.choices, prefix),
    )


def _item(prompt: str, result: Whole | PodiumError, full_text: bool, record: RequestRecord) -> BatchItem:  # noqa: FBT001
    if isinstance(result, PodiumError):
        return BatchItem(prompt, error=native_answer(result, record.request_id).error)
    prefix = prompt if full_text else ""
    first = result.choices[0]
    return BatchItem(
        prompt=prompt,
        generated_text=prefix + first.text,
        input_length=result.usage.prompt_tokens,
        output_length=first.token_count,
        finish_reason=first.finish_reason,
        logprobs=translate.logprobs_of(first),
        choices=translate.choices_of(result.choices, prefix),
    )
