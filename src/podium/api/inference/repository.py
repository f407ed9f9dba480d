"""``/v2/repository``: which models there are, and loading and unloading them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.inference.body import read_members, read_tensors
from podium.api.inference.metadata import name_in
from podium.api.json_answer import PRIVATE, JsonAnswer, ignored_headers
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.served_models import ModelStatus
from podium.api.visible_models import check_permitted, visible_models
from podium.core.errors import UnsupportedParameter
from podium.protocols.inference import InferModelState, RepositoryIndexRequest, RepositoryRequest

router = direct_router(tags=["Open Inference Protocol"])

_STATES = {"ready": "READY", "loading": "LOADING", "warming": "LOADING", "draining": "UNLOADING"}


@router.post(
    "/v2/repository/index",
    **operation(
        "List the repository",
        request=RepositoryIndexRequest,
        answer=list[InferModelState],
        body_required=False,
        example={},
    ),
)
async def index(request: Request) -> Response:
    """Every version of every model that the caller may use."""
    body = await read_members(request, RepositoryIndexRequest)
    statuses = visible_models(backend_of(request), principal_of(request.scope))
    found = [_state(status) for status in statuses if not body.ready or str(status.state) == "ready"]
    return JsonAnswer(found, headers={**PRIVATE, **ignored_headers(request)})


_LOAD = operation(
    "Load a model of the repository",
    request=RepositoryRequest,
    answer=dict[str, Any],
    body_required=False,
    example={},
)
_UNLOAD = operation(
    "Unload a model of the repository",
    request=RepositoryRequest,
    answer=dict[str, Any],
    body_required=False,
    example={"parameters": {"unload_dependents": False}},
)


@router.post("/v2/repository/models/{model_name:path}/load", **_LOAD)
async def load(request: Request, model_name: str) -> Response:
    """Answers when the model is ready. Models come from the configuration, so no files or settings are taken."""
    name = await _admitted(request, model_name, allowed=())
    await backend_of(request).models.load(name)
    return JsonAnswer({}, headers=ignored_headers(request))


@router.post("/v2/repository/models/{model_name:path}/unload", **_UNLOAD)
async def unload(request: Request, model_name: str) -> Response:
    """Answers when the model's worker is gone."""
    name = await _admitted(request, model_name, allowed=("unload_dependents",))
    await backend_of(request).models.unload(name)
    return JsonAnswer({}, headers=ignored_headers(request))


async def _admitted(request: Request, model_name: str, *, allowed: tuple[str, ...]) -> str:
    body, _ = await read_tensors(request, RepositoryRequest) if await request.body() else (RepositoryRequest(), b"")
    for given in body.parameters or {}:
        if given not in allowed:
            raise UnsupportedParameter(
                "`parameters`: models come as the configuration says. Leave files and settings out.",
                param="parameters",
            )
    name = name_in(model_name)
    check_permitted(backend_of(request), principal_of(request.scope), name)
    return name


def _state(status: ModelStatus) -> InferModelState:
    state = _STATES.get(str(status.state), "UNAVAILABLE")
    return InferModelState(status.name, status.version, state, status.error or "")
