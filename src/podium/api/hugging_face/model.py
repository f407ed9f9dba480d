"""A model's own address: ``POST /hf/MODEL`` by the model's task, its health, and what a client may know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.hugging_face import generation, pipelines, scores, vectors
from podium.api.hugging_face.address import model_at
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.openapi import operation
from podium.core.errors import ModelNotReady
from podium.protocols.hugging_face import HfInfo, HfTaskRequest
from podium.protocols.tasks import MAX_INPUTS

router = direct_router(tags=["Hugging Face"])

_BY_TASK: dict[str, Callable[[Request, str], Awaitable[Response]]] = {
    "generate": generation.at_address,
    "text2text_generation": generation.at_address,
    "embed": vectors.at_address,
    "rerank": scores.rerank,
    "classify": pipelines.classify,
    "token_classification": pipelines.token_classification,
    "zero_shot": pipelines.zero_shot,
    "fill_mask": pipelines.fill_mask,
    "question_answering": pipelines.question_answering,
}
_PIPELINES = {
    "generate": "text-generation",
    "text2text_generation": "text2text-generation",
    "embed": "feature-extraction",
    "rerank": "text-ranking",
    "classify": "text-classification",
    "token_classification": "token-classification",
    "zero_shot": "zero-shot-classification",
    "fill_mask": "fill-mask",
    "question_answering": "question-answering",
}
_KINDS = {"embed": "embedding", "rerank": "reranker", "classify": "classifier"}


@router.post(
    "/hf/{model_name:hf}",
    **operation(
        "Ask a model by its address",
        request=HfTaskRequest,
        answer=list[Any],
        generates=True,
        stream=generation.STREAM,
        example=generation.EXAMPLE,
    ),
)
async def at_address(request: Request, model_name: str) -> Response:
    """What the model's task gives, in the shapes that InferenceClient reads."""
    task = model_at(request, model_name).task
    if task is None:
        raise ModelNotReady("The model's task is not known before it is loaded.", param="model")
    return await _BY_TASK[task](request, model_name)


@router.get("/hf/{model_name:path}/health", **operation("Is a model ready?", answer=dict[str, Any]))
async def health(request: Request, model_name: str) -> Response:
    """200 while the model serves, else 503."""
    good = model_at(request, model_name).serving
    return JsonAnswer({}, status_code=200 if good else 503, headers=PRIVATE)


@router.get("/hf/{model_name:path}/info", **operation("Describe a model", answer=HfInfo))
async def info(request: Request, model_name: str) -> Response:
    """Its task and its limits."""
    backend = backend_of(request)
    status = model_at(request, model_name)
    kind = _KINDS.get(status.task or "")
    answer = HfInfo(
        model_id=status.name,
        model_pipeline_tag=_PIPELINES.get(status.task or ""),
        model_type={kind: {}} if kind else {},
        max_input_length=status.max_model_len,
        max_total_tokens=status.max_model_len,
        max_stop_sequences=backend.server.limits.stops,
        max_client_batch_size=1 if status.task in ("generate", "text2text_generation") else MAX_INPUTS,
        version=backend.version,
    )
    return JsonAnswer(answer, headers=PRIVATE)
