"""``GET /api/tags``, ``/api/ps`` and ``/api/version``, ``POST /api/show``: what is served, in Ollama's shapes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.body import read
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer, ignored_headers
from podium.api.ollama.lines import stamp
from podium.api.ollama.translate import model_name
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.served_models import ModelStatus
from podium.api.visible_models import find_model, visible_models
from podium.protocols.ollama import (
    OllamaDetails,
    OllamaListed,
    OllamaModel,
    OllamaModels,
    OllamaShowRequest,
    OllamaVersion,
)

router = direct_router(tags=["Ollama"])

_CAPABILITIES = {"generate": ["completion"], "text2text_generation": ["completion"], "embed": ["embedding"]}


@router.get("/api/tags", **operation("List models as Ollama does", answer=OllamaModels))
async def tags(request: Request) -> Response:
    """Every model that the caller may use."""
    return JsonAnswer(OllamaModels(_listed(request)), headers=PRIVATE)


@router.get("/api/ps", **operation("List loaded models as Ollama does", answer=OllamaModels))
async def running(request: Request) -> Response:
    """Those of them that are loaded."""
    return JsonAnswer(OllamaModels(_listed(request, only="ready")), headers=PRIVATE)


@router.get("/api/version", **operation("Podium's version", answer=OllamaVersion))
async def version(request: Request) -> Response:
    """Podium's, not one of Ollama's."""
    return JsonAnswer(OllamaVersion(backend_of(request).version))


@router.post(
    "/api/show",
    **operation("Describe a model", request=OllamaShowRequest, answer=OllamaModel, example={"model": "demo"}),
)
async def show(request: Request) -> Response:
    """What is known of one model."""
    backend = backend_of(request)
    body = await read(request, OllamaShowRequest, max_depth=backend.server.limits.json_depth)
    status = find_model(backend, principal_of(request.scope), model_name(body.model))
    known: dict[str, int | str] = {"podium.version": status.version, "podium.engine": status.engine or "unknown"}
    if status.max_model_len:
        known["podium.context_length"] = status.max_model_len
    answer = OllamaModel(
        details=_details(status),
        model_info=known,
        capabilities=_CAPABILITIES.get(status.task or "", []),
        modified_at=stamp(status.created_unix_seconds),
    )
    return JsonAnswer(answer, headers={**PRIVATE, **ignored_headers(request)})


def _listed(request: Request, *, only: str = "") -> list[OllamaListed]:
    statuses = visible_models(backend_of(request), principal_of(request.scope))
    return [
        OllamaListed(
            name=status.name,
            model=status.name,
            modified_at=stamp(status.created_unix_seconds),
            size=status.memory_bytes,
            details=_details(status),
        )
        for status in statuses
        if not only or str(status.state) == only
    ]


def _details(status: ModelStatus) -> OllamaDetails:
    return OllamaDetails(family=status.engine)
