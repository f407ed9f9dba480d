"""``GET /v2``, its health routes, and what it tells of models. A model is ``NAME`` or ``NAME/versions/VERSION``."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.inference.signature import signature_of
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.openapi import operation
from podium.api.path_ends import register_name
from podium.api.principal import principal_of
from podium.api.served_models import ModelStatus
from podium.api.visible_models import find_model, visible_models
from podium.protocols.inference import InferModelMetadata, InferServerMetadata, InferState

router = direct_router(tags=["Open Inference Protocol"])
EXTENSIONS = ["binary_tensor_data", "model_repository", "generate"]
_VERSIONS = "/versions/"


register_name("model", "/infer", "/ready", "/generate", "/generate_stream")


@router.get("/v2", **operation("Describe the server", answer=InferServerMetadata))
async def server(request: Request) -> Response:
    """Name, version and what is supported beyond the protocol's core."""
    return JsonAnswer(InferServerMetadata("podium", backend_of(request).version, EXTENSIONS))


@router.get("/v2/health/live", **operation("Is the server alive?", answer=InferState))
async def live(request: Request) -> Response:
    """200 while work goes forward, else 503."""
    good = backend_of(request).models.health().live
    return JsonAnswer(InferState(live=good), status_code=200 if good else 503)


@router.get("/v2/health/ready", **operation("Should requests be sent?", answer=InferState))
async def ready(request: Request) -> Response:
    """200 while new requests are welcome, else 503."""
    backend = backend_of(request)
    good = backend.models.health().ready and not backend.draining()
    return JsonAnswer(InferState(ready=good), status_code=200 if good else 503)


@router.get("/v2/models/{model_name:path}/ready", **operation("Is a model ready?", answer=InferState))
async def model_ready(request: Request, model_name: str) -> Response:
    """200 while the model serves, else 503."""
    status = find(request, model_name)
    good = status.serving
    return JsonAnswer(InferState(ready=good, name=status.name), status_code=200 if good else 503, headers=PRIVATE)


@router.get("/v2/models/{model_name:model}", **operation("Describe a model's tensors", answer=InferModelMetadata))
async def model(request: Request, model_name: str) -> Response:
    """Versions, and the tensors in and out."""
    status = find(request, model_name)
    signature = signature_of(status)
    visible = visible_models(backend_of(request), principal_of(request.scope))
    answer = InferModelMetadata(
        name=status.name,
        versions=[one.version for one in visible if one.name == status.name],
        platform=f"podium_{status.engine or 'unknown'}",
        inputs=list(signature.inputs),
        outputs=list(signature.outputs),
    )
    return JsonAnswer(answer, headers=PRIVATE)


def find(request: Request, given: str) -> ModelStatus:
    """The model of a path. Raises ModelNotFound."""
    return find_model(backend_of(request), principal_of(request.scope), name_in(given))


def name_in(given: str) -> str:
    """The name in a path, as ``name@version`` where it has a version."""
    name, found, version = given.rpartition(_VERSIONS)
    return f"{name}@{version}" if found else given
