"""``GET /models``, and loading and unloading at run time."""

from __future__ import annotations

from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read_optional
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer, ignored_headers
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.served_models import ModelStatus
from podium.api.visible_models import check_permitted, visible_models
from podium.protocols.native import (
    LoadAnswer,
    LoadRequest,
    MemoryBody,
    ModelBody,
    ModelProgress,
    ModelsAnswer,
    UnloadAnswer,
    UnloadRequest,
)

router = direct_router(tags=["Models"])


@router.get("/models", **operation("List models and their state", answer=ModelsAnswer))
async def list_models(request: Request) -> Response:
    """Every configured version that the caller may use, loaded or not."""
    statuses = visible_models(backend_of(request), principal_of(request.scope))
    versions = Counter(status.name for status in statuses)
    found = {
        status.name if versions[status.name] == 1 else f"{status.name}@{status.version}": _body(status)
        for status in statuses
    }
    return JsonAnswer(ModelsAnswer(found, len(found)), headers=PRIVATE)


@router.post(
    "/models/{model_name:path}/load",
    **operation(
        "Load a model",
        request=LoadRequest,
        answer=LoadAnswer,
        body_required=False,
        example={},
        query={"model_path": "Same as the member of the body."},
    ),
)
async def load_model(request: Request, model_name: str) -> Response:
    """Answers when the model is ready. A source is taken only from where the configuration allows."""
    backend = backend_of(request)
    body = await read_optional(request, LoadRequest, max_depth=backend.server.limits.json_depth)
    source = body.model_path or request.query_params.get("model_path")
    check_permitted(backend, principal_of(request.scope), model_name)
    report = await backend.models.load(model_name, source=source, activate=body.activate)
    answer = LoadAnswer(
        message=f"Model {report.name}@{report.version} loaded",
        model=report.name,
        version=report.version,
        load_seconds=report.load_seconds,
        memory_bytes=report.memory_bytes,
    )
    return JsonAnswer(answer, headers=ignored_headers(request))


@router.post(
    "/models/{model_name:path}/unload",
    **operation("Unload a model", request=UnloadRequest, answer=UnloadAnswer, body_required=False, example={}),
)
async def unload_model(request: Request, model_name: str) -> Response:
    """Answers when its requests are finished and its worker is gone, with the memory measured."""
    backend = backend_of(request)
    await read_optional(request, UnloadRequest, max_depth=backend.server.limits.json_depth)
    check_permitted(backend, principal_of(request.scope), model_name)
    report = await backend.models.unload(model_name)
    answer = UnloadAnswer(
        message=f"Model {report.name}@{report.version} unloaded",
        model=report.name,
        version=report.version,
        memory=MemoryBody(report.memory_before_bytes, report.memory_loaded_bytes, report.memory_after_bytes),
    )
    return JsonAnswer(answer, headers=ignored_headers(request))


def _body(status: ModelStatus) -> ModelBody:
    progress = status.progress
    return ModelBody(
        name=status.name,
        version=status.version,
        aliases=list(status.aliases),
        state=str(status.state),
        task=status.task,
        engine=status.engine,
        path=status.source,
        loaded_at=status.loaded_at_unix_seconds,
        request_count=status.request_count,
        max_model_len=status.max_model_len,
        memory_bytes=status.memory_bytes,
        default=status.default,
        progress=None if progress is None else ModelProgress(progress.stage, progress.ratio),
        error=status.error,
        active=status.active,
    )
