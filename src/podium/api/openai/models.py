"""``GET /v1/models`` and ``GET /v1/models/{id}``; ids may contain slashes."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from podium.api.backend import ModelStatus
from podium.api.context import backend_of
from podium.api.direct_route import direct_router
from podium.api.json_answer import PRIVATE, JsonAnswer
from podium.api.openapi import operation
from podium.api.principal import principal_of
from podium.api.visible_models import find_model, visible_models
from podium.protocols.openai_answers import ModelCard, ModelList

router = direct_router(tags=["OpenAI"])


@router.get("/v1/models", **operation("List models", answer=ModelList))
async def list_models(request: Request) -> Response:
    """Every name that the caller may use: models, and their aliases with the model as ``root``."""
    cards: dict[str, ModelCard] = {}
    for status in visible_models(backend_of(request), principal_of(request.scope)):
        for name in (status.name, *status.aliases):
            cards.setdefault(name, _card(name, status))
    return JsonAnswer(ModelList(data=list(cards.values())), headers=PRIVATE)


@router.get("/v1/models/{model_id:path}", **operation("Describe a model", answer=ModelCard))
async def get_model(request: Request, model_id: str) -> Response:
    """One model by name, alias or name@version."""
    status = find_model(backend_of(request), principal_of(request.scope), model_id)
    return JsonAnswer(_card(model_id, status), headers=PRIVATE)


def _card(name: str, status: ModelStatus) -> ModelCard:
    return ModelCard(
        id=name, created=int(status.created_unix_seconds), root=status.name, max_model_len=status.max_model_len
    )
