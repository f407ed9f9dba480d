"""The routes that hosting platforms call.

SageMaker's ``/ping`` and ``/invocations``, Azure ML's ``/score``, Vertex AI's ``/predict``, and the same of KServe's
first protocol. What they carry are requests of our other routes, told apart by their members and the model's task.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from podium.api.answering import first_error
from podium.api.backend import Backend
from podium.api.body import read, read_object, with_body
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.disconnect import stop_on_disconnect
from podium.api.idempotency import INSTANCE
from podium.api.json_answer import JsonAnswer, ignored_headers
from podium.api.openai.chat import chat_completions
from podium.api.openai.completions import completions
from podium.api.openai.embeddings import embeddings
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.receive import receiving
from podium.api.tasks.classify import classify
from podium.api.tasks.fill_mask import fill_mask
from podium.api.tasks.question_answering import question_answering
from podium.api.tasks.rerank import rerank
from podium.api.tasks.token_classification import token_classification
from podium.api.tasks.zero_shot import zero_shot
from podium.api.visible_models import find_model
from podium.core.errors import InvalidRequest, UnsupportedParameter
from podium.protocols.cloud import InvocationRequest, PredictAnswer, PredictRequest

router = direct_router(tags=["Cloud platforms"])

Endpoint = Callable[[Request], Awaitable[Response]]
_EXAMPLE = {"messages": [{"role": "user", "content": "Name three trees."}], "max_tokens": 40}
_INVOKE = operation(
    "Invoke the model",
    request=InvocationRequest,
    answer=dict[str, Any],
    reserves=True,
    stream="As the route streams whose request it is.",
    example=_EXAMPLE,
)
_BY_MEMBER: tuple[tuple[str, Endpoint], ...] = (
    ("messages", chat_completions),
    ("prompt", completions),
    ("query", rerank),
    ("question", question_answering),
    ("input", embeddings),
)
_OF_INPUT: dict[str | None, Endpoint] = {
    "classify": classify,
    "zero_shot": zero_shot,
    "token_classification": token_classification,
    "fill_mask": fill_mask,
}


@router.get("/ping", **operation("Should requests be sent?", answer=dict[str, Any]))
async def ping(request: Request) -> Response:
    """200 while new requests are welcome, else 503."""
    backend = backend_of(request)
    good = backend.models.health().ready and not backend.draining()
    return JsonAnswer({}, status_code=200 if good else 503)


@router.post("/invocations", **_INVOKE)
@router.post("/score", **_INVOKE)
async def invocations(request: Request) -> Response:
    """The answer of the route whose request it is: chat, completions, embeddings, rerank or another task."""
    backend = backend_of(request)
    await read(request, InvocationRequest, max_depth=backend.server.limits.json_depth)
    body = await read_object(request, max_depth=backend.server.limits.json_depth)
    return await _endpoint_for(request, backend, body)(request)


@router.post(
    "/predict",
    **operation(
        "Predict for instances",
        request=PredictRequest,
        answer=PredictAnswer,
        reserves=True,
        example={"instances": [{"prompt": "The sea was"}], "parameters": {"max_tokens": 20}},
    ),
)
async def predict(request: Request) -> Response:
    """All instances run together; if one fails, the call fails with its error."""
    return await _predict_all(request, {})


@router.post(
    "/v1/models/{model_name:path}:predict",
    **operation(
        "Predict for instances, of the model in the path",
        request=PredictRequest,
        answer=PredictAnswer,
        reserves=True,
        example={"instances": [{"prompt": "The sea was", "max_tokens": 20}]},
    ),
)
async def predict_of_model(request: Request, model_name: str) -> Response:
    """As ``/predict``; no instance names another model."""
    status = find_model(backend_of(request), principal_of(request.scope), model_name)
    return await _predict_all(request, {"model": f"{status.name}@{status.version}"})


async def _predict_all(request: Request, fixed: dict[str, Any]) -> Response:
    backend = backend_of(request)
    body = await read(request, PredictRequest, max_depth=backend.server.limits.json_depth)
    headers = ignored_headers(request)
    async with stop_on_disconnect(request.receive):
        with first_error():
            async with asyncio.TaskGroup() as group:
                tasks = [
                    group.create_task(
                        _predict_one(request, backend, {**(body.parameters or {}), **instance, **fixed}, number),
                        name=f"instance-{number}",
                    )
                    for number, instance in enumerate(body.instances)
                ]
    return JsonAnswer(PredictAnswer([task.result() for task in tasks]), headers=headers)


async def _predict_one(request: Request, backend: Backend, body: dict[str, Any], number: int) -> Any:
    if body.get("stream"):
        raise UnsupportedParameter("`stream` is not possible here. Use /invocations.", param="stream")
    own = with_body(request, body, receiving(b""))  # the call's watch sees a client that hangs up
    own.scope[INSTANCE] = number
    response = await _endpoint_for(request, backend, body)(own)
    return msgspec.json.decode(bytes(response.body))


def _endpoint_for(request: Request, backend: Backend, body: Mapping[str, Any]) -> Endpoint:
    """Raises InvalidRequest where no member tells whose request it is."""
    found = next((endpoint for member, endpoint in _BY_MEMBER if body.get(member) is not None), None)
    if found is None:
        members = ", ".join(f"`{member}`" for member, _ in _BY_MEMBER)
        raise InvalidRequest(f"One of {members} is required: it tells what is asked for.", param="messages")
    if found is embeddings and isinstance(body.get("model"), str | None):
        status = find_model(backend, principal_of(request.scope), backend.model_name(body.get("model")))
        return _OF_INPUT.get(status.task, embeddings)
    return found
